"""Phases whose examples lie on the device: a GPU takes batches faster than a CPU can make them.

Examples are the pool's; chance is drawn on the device, a function of the seed and of a batch's
first index. So a training that is killed and continued sees what it would have seen, on the same
kind of device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL

from adabldm.core import random_streams
from adabldm.core.devices import to_device
from adabldm.networks.autoencoder import from_uint8, posterior
from adabldm.sampling import keep_masks
from adabldm.training.example_pool import ExamplePool
from adabldm.training.objectives import AutoencoderLoss, DenoiserLoss
from adabldm.training.phases import CONTRAST, STEPS, Look, nothing_to_see

ENCODED_TOGETHER = 128
MIRRORED = ((), (2,), (3,), (2, 3))
"""Axes of (N, C, H, W) along which a batch of the autoencoder is turned over."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """uint8 ``images`` (N, 3, S, S) and ``trimaps`` (N, S, S) on a device."""

    images: torch.Tensor
    trimaps: torch.Tensor

    @classmethod
    def of(cls, examples: ExamplePool, count: int, device: torch.device) -> Pictures:
        """The first ``count`` of a pool, once they are there."""
        some = [examples[index] for index in range(count)]
        images = np.stack([one.image for one in some]).transpose(0, 3, 1, 2)
        trimaps = np.stack([one.trimap for one in some])
        return cls(
            images=to_device(np.ascontiguousarray(images), device),
            trimaps=to_device(trimaps, device),
        )


@dataclass(frozen=True, kw_only=True)
class Latents:
    """Scaled ``mean`` and ``std`` (N, C, h, w), ``trimaps`` uint8 (N, S, S), the place of each
    example's prompt among ``texts`` (T, L, D), whose first is the empty one's embedding."""

    mean: torch.Tensor
    std: torch.Tensor
    trimaps: torch.Tensor
    prompts: torch.Tensor
    texts: torch.Tensor

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        vae: AutoencoderKL,
        examples: ExamplePool,
        embed: Callable[[str], torch.Tensor],
        *,
        measured: int,
    ) -> tuple[Latents, float]:
        """All of a pool, encoded; and the factor that brings the first ``measured`` to unit
        variance, by which they are scaled."""
        device = next(vae.parameters()).device
        pictures = Pictures.of(examples, len(examples), device)
        means, stds = [], []
        for images in pictures.images.split(ENCODED_TOGETHER):
            found = posterior(vae, from_uint8(images.permute(0, 2, 3, 1)))
            means.append(found.mean.float())
            stds.append(found.std.float())
        mean, std = torch.cat(means), torch.cat(stds)
        scale = 1 / float(mean[:measured].double().std(correction=0))
        words = ["", *sorted({examples[index].prompt for index in range(len(examples))} - {""})]
        place = {text: number for number, text in enumerate(words)}
        prompts = [place[examples[index].prompt] for index in range(len(examples))]
        latents = cls(
            mean=mean * scale,
            std=std * scale,
            trimaps=pictures.trimaps,
            prompts=torch.tensor(prompts, device=device),
            texts=torch.cat([embed(text).detach() for text in words]).to(device),
        )
        return latents, scale


class ResidentAutoencoderPhase:
    """Trains what of ``vae`` has ``requires_grad`` on ``crop`` x ``crop`` windows of ``pictures``,
    one place a batch, mirrored, their contrast changed as by
    :class:`~adabldm.training.phases.AutoencoderPhase`."""

    def __init__(
        self, vae: AutoencoderKL, pictures: Pictures, *, name: str, crop: int, seed: int,
        look: Look = nothing_to_see,
    ) -> None:  # fmt: skip
        self.name, self.look = name, look
        self.module = AutoencoderLoss(vae)
        self._pictures, self._crop, self._seed = pictures, crop, seed
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self._latent = (vae.config.latent_channels, crop // factor, crop // factor)

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, ...]:
        images, trimaps = self._pictures.images, self._pictures.trimaps
        chance = _chance(self._seed, self.name, indices[0], images.device)
        place = random_streams.stream(self._seed, f"{self.name}/batch window", indices[0])
        chosen = torch.randint(len(images), (len(indices),), generator=chance, device=images.device)
        top, left = (int(at) for at in place.integers(0, images.shape[-1] - self._crop + 1, size=2))
        axes = MIRRORED[int(place.integers(len(MIRRORED)))]
        window = slice(top, top + self._crop), slice(left, left + self._crop)
        pixels = images[chosen][:, :, *window].float().flip(axes)
        marks = trimaps[chosen][:, *window].flip([axis - 1 for axis in axes])
        low, high = CONTRAST
        gain = low + (high - low) * torch.rand(
            (len(indices), 1, 1, 1), generator=chance, device=images.device
        )
        level = pixels.mean((1, 2, 3), keepdim=True)
        pixels = ((pixels - level) * gain + level).clamp(0, 255) / 127.5 - 1
        noise = torch.randn((len(indices), *self._latent), generator=chance, device=images.device)
        keep = keep_masks.pixel_keep_mask(marks)
        return pixels.contiguous(memory_format=torch.channels_last), keep, noise


class ResidentDenoiserPhase:
    """Trains what of ``module`` has ``requires_grad`` on ``latents``, as
    :class:`~adabldm.training.phases.DenoiserPhase` does."""

    def __init__(
        self, module: DenoiserLoss, latents: Latents, *, name: str, seed: int,
        prompt_drop: float = 0.1, control_drop: float = 0.0, look: Look = nothing_to_see,
    ) -> None:  # fmt: skip
        self.name, self.module, self.look = name, module, look
        self._latents, self._seed = latents, seed
        self._prompt_drop, self._control_drop = prompt_drop, control_drop

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, ...]:
        pool, count = self._latents, len(indices)
        device = pool.mean.device
        chance = _chance(self._seed, self.name, indices[0], device)

        def uniform() -> torch.Tensor:
            return torch.rand(count, generator=chance, device=device)

        def normal() -> torch.Tensor:
            return torch.randn(shape, generator=chance, device=device)

        shape = (count, *pool.mean.shape[1:])
        chosen = torch.randint(len(pool.mean), (count,), generator=chance, device=device)
        latents = pool.mean[chosen] + pool.std[chosen] * normal()
        noise, t = normal(), (uniform() * STEPS).long().clamp_max(STEPS - 1)
        prompts = torch.where(uniform() < self._prompt_drop, 0, pool.prompts[chosen])
        control = (uniform() >= self._control_drop).float()
        empty = pool.texts[:1].expand(count, -1, -1)
        return (
            latents, noise, t, pool.trimaps[chosen], pool.texts[prompts], empty, control,
        )  # fmt: skip


def _chance(seed: int, name: str, index: int, device: torch.device) -> torch.Generator:
    own = random_streams.stream(seed, f"{name}/batch", index).integers(2**62)
    return torch.Generator(device).manual_seed(int(own))
