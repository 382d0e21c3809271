"""Encoded training examples, each encoded when it is first asked for and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from diffusers import AutoencoderKL

from adabldm.core import random_streams
from adabldm.core.devices import to_device
from adabldm.networks.autoencoder import from_uint8, posterior
from adabldm.training.examples import Example

MEASURED = 256
"""Examples from whose latents the scaling factor is taken."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Posterior ``mean`` and ``std`` float32 (C, h, w), unscaled; ``trimap`` uint8 (S, S)."""

    mean: np.ndarray
    std: np.ndarray
    trimap: np.ndarray
    prompt: str


class Examples(Protocol):
    """Examples by index, as an :class:`~adabldm.training.examples.ExampleStream` has them."""

    def __getitem__(self, index: int) -> Example: ...


class LatentPool:
    """The first ``count`` of ``examples``, in an order of its own each round.

    Index i is example i in the first round; later rounds permute. A function of the
    seed and i alone.
    """

    def __init__(self, examples: Examples, vae: AutoencoderKL, *, count: int, seed: int) -> None:
        self._examples, self._vae, self._count, self._seed = examples, vae, count, seed
        self._kept: dict[int, Encoded] = {}
        self._order: tuple[int, np.ndarray] = (0, np.arange(count))
        self.scaling_factor: float = vae.config.scaling_factor

    def __getitem__(self, index: int) -> Encoded:
        round_, place = divmod(index, self._count)
        if round_ != self._order[0]:
            rng = random_streams.stream(self._seed, "order of the pool", round_)
            order = rng.permutation(self._count) if round_ else np.arange(self._count)
            self._order = round_, order
        return self._encoded(int(self._order[1][place]))

    @torch.no_grad()
    def _encoded(self, number: int) -> Encoded:
        if number not in self._kept:
            example = self._examples[number]
            pixels = from_uint8(to_device(example.image[None], self._vae.device))
            found = posterior(self._vae, pixels.to(self._vae.dtype))
            self._kept[number] = Encoded(
                mean=found.mean[0].float().cpu().numpy(),
                std=found.std[0].float().cpu().numpy(),
                trimap=example.trimap,
                prompt=example.prompt,
            )
        return self._kept[number]

    def measure_scale(self) -> float:
        """The factor that brings latents to unit variance, from the first examples."""
        means = [self._encoded(number).mean for number in range(min(MEASURED, self._count))]
        return 1 / float(np.stack(means).std())
