"""The phases of training: autoencoder, U-Net, control branch, each a module whose forward pass is
its losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import nn

from adabldm.core import random_streams
from adabldm.core.random_streams import counter_normal
from adabldm.networks.autoencoder import from_uint8
from adabldm.sampling import keep_masks
from adabldm.training.examples import ExampleStream
from adabldm.training.latents import LatentPool
from adabldm.training.objectives import AutoencoderLoss, DenoiserLoss

Look = Callable[[nn.Module], tuple[dict[str, float], np.ndarray | None]]
STEPS = 1000
"""Diffusion steps that a training example is drawn from."""
CONTRAST = (0.8, 1.6)
"""The autoencoder's pictures have their contrast lowered or raised by a factor in this range."""
CROPS = 2
"""Windows of one example that the autoencoder sees."""
CONTROL_DROP = 0.15
"""Share of examples without the control branch where the U-Net is trained along with it."""


def nothing_to_see(module: nn.Module) -> tuple[dict[str, float], np.ndarray | None]:
    """The look of a phase that nobody watches."""
    del module
    return {}, None


class AutoencoderPhase:
    """Trains what of ``vae`` has ``requires_grad`` on ``crop`` x ``crop`` windows of the stream's
    pictures. Where a window lies does not depend on what its picture shows."""

    def __init__(
        self, vae: AutoencoderKL, stream: ExampleStream, *, name: str, crop: int, seed: int,
        look: Look = nothing_to_see,
    ) -> None:  # fmt: skip
        self.name, self.look = name, look
        self.module = AutoencoderLoss(vae)
        self._stream, self._crop, self._seed = stream, crop, seed
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self._latent = (vae.config.latent_channels, crop // factor, crop // factor)

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, ...]:
        windows, marks, noise = [], [], []
        for index in indices:
            example = self._stream[index // CROPS]
            rng = random_streams.stream(self._seed, f"{self.name}/window", index)
            top, left = rng.integers(0, self._stream.size - self._crop + 1, size=2)
            window = slice(top, top + self._crop), slice(left, left + self._crop)
            pixels = example.image[window].astype(np.float32)
            level = pixels.mean()
            pixels = np.clip((pixels - level) * rng.uniform(*CONTRAST) + level, 0, 255)
            windows.append(pixels)
            marks.append(example.trimap[window])
            purpose = f"{self.name}/posterior"
            noise.append(counter_normal(self._seed, purpose, index, self._latent))
        images = from_uint8(torch.from_numpy(np.stack(windows)))
        keep = keep_masks.pixel_keep_mask(torch.from_numpy(np.stack(marks)))
        return images.contiguous(memory_format=torch.channels_last), keep, _stack(noise)


class DenoiserPhase:
    """Trains what of ``module`` has ``requires_grad`` on latents of ``pool``.

    ``embed`` gives a text's embedding (1, L, D); ``prompt_drop`` examples in one have the empty
    text instead of their prompt, for classifier-free guidance.
    """

    def __init__(
        self, module: DenoiserLoss, pool: LatentPool, embed: Callable[[str], torch.Tensor], *,
        name: str, seed: int, prompt_drop: float = 0.1, control_drop: float = 0.0,
        look: Look = nothing_to_see,
    ) -> None:  # fmt: skip
        self.name, self.module, self.look = name, module, look
        self._pool, self._embed, self._seed = pool, embed, seed
        self._prompt_drop, self._control_drop = prompt_drop, control_drop
        self._texts: dict[str, torch.Tensor] = {}

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, ...]:
        entries = [self._pool[index] for index in indices]
        latents, noise, t, texts, control = [], [], [], [], []
        for index, entry in zip(indices, entries, strict=True):
            rng = random_streams.stream(self._seed, f"{self.name}/step, prompt, control", index)
            shape = entry.mean.shape
            drawn = counter_normal(self._seed, f"{self.name}/posterior", index, shape)
            latents.append((entry.mean + entry.std * drawn) * self._pool.scaling_factor)
            noise.append(counter_normal(self._seed, f"{self.name}/noise", index, shape))
            t.append(int(rng.integers(STEPS)))
            texts.append("" if rng.random() < self._prompt_drop else entry.prompt)
            control.append(float(rng.random() >= self._control_drop))
        return (
            _stack(latents),
            _stack(noise),
            torch.tensor(t),
            torch.from_numpy(np.stack([entry.trimap for entry in entries])),
            torch.cat([self._text(text) for text in texts]),
            torch.cat([self._text("")] * len(texts)),
            torch.tensor(control),
        )

    def _text(self, text: str) -> torch.Tensor:
        if text not in self._texts:
            self._texts[text] = self._embed(text).detach().cpu()
        return self._texts[text]


def _stack(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays).astype(np.float32, copy=False))
