"""Where a whole model's phases get their examples: made as they are wanted, or lying on a GPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import torch
from diffusers import AutoencoderKL

from adabldm.networks.small import IMAGE_SIZE
from adabldm.training.example_pool import ExamplePool
from adabldm.training.examples import ExampleStream
from adabldm.training.latents import MEASURED, LatentPool
from adabldm.training.loop import Phase
from adabldm.training.objectives import DenoiserLoss
from adabldm.training.options import WholeModelOptions
from adabldm.training.phases import AutoencoderPhase, DenoiserPhase, Look
from adabldm.training.resident import (
    Latents,
    Pictures,
    ResidentAutoencoderPhase,
    ResidentDenoiserPhase,
)

CROPS = {"autoencoder": IMAGE_SIZE // 2, "refinement": IMAGE_SIZE}
"""Sides of the windows that an autoencoder's phases see, where a CPU trains them."""
RESIDENT_PICTURES = 8192
"""Examples of a pool that a GPU trains the autoencoder on."""

Embed = Callable[[str], torch.Tensor]


class PhaseSource(Protocol):
    """The phases of one training by their names. ``encode`` comes before any ``denoiser``."""

    def autoencoder(self, vae: AutoencoderKL, name: str, look: Look) -> Phase: ...

    def encode(self, vae: AutoencoderKL, embed: Embed) -> float:
        """Get ready to train on the latents of ``vae``; the factor that brings them to unit
        variance."""

    def denoiser(
        self, module: DenoiserLoss, name: str, look: Look, *, control_drop: float
    ) -> Phase: ...

    def close(self) -> None: ...


class Streamed:
    """Examples are made, and encoded, when they are first wanted."""

    _pool: LatentPool
    _embed: Embed

    def __init__(self, stream: ExampleStream, options: WholeModelOptions) -> None:
        self._stream, self._options = stream, options

    def autoencoder(self, vae: AutoencoderKL, name: str, look: Look) -> Phase:
        return AutoencoderPhase(
            vae, self._stream, name=name, crop=CROPS[name], seed=self._options.seed, look=look
        )

    def encode(self, vae: AutoencoderKL, embed: Embed) -> float:
        self._embed = embed
        count, seed = self._options.pool, self._options.seed
        self._pool = LatentPool(self._stream, vae, count=count, seed=seed)
        self._pool.scaling_factor = self._pool.measure_scale()
        return self._pool.scaling_factor

    def denoiser(
        self, module: DenoiserLoss, name: str, look: Look, *, control_drop: float
    ) -> Phase:
        return DenoiserPhase(
            module, self._pool, self._embed, name=name, seed=self._options.seed,
            control_drop=control_drop, look=look,
        )  # fmt: skip

    def close(self) -> None:
        pass


class Resident:
    """Examples are made ahead by all of the machine's cores, and lie on ``device``."""

    _latents: Latents

    def __init__(
        self, stream: ExampleStream, options: WholeModelOptions, device: torch.device
    ) -> None:
        self._options, self._device = options, device
        self._examples = ExamplePool(
            stream, count=options.pool, processes=max(1, (os.cpu_count() or 1) - 1)
        )

    @cached_property
    def _pictures(self) -> Pictures:
        return Pictures.of(self._examples, min(RESIDENT_PICTURES, self._options.pool), self._device)

    def autoencoder(self, vae: AutoencoderKL, name: str, look: Look) -> Phase:
        return ResidentAutoencoderPhase(
            vae, self._pictures, name=name, crop=IMAGE_SIZE, seed=self._options.seed, look=look
        )

    def encode(self, vae: AutoencoderKL, embed: Embed) -> float:
        self._latents, scale = Latents.of(vae, self._examples, embed, measured=MEASURED)
        return scale

    def denoiser(
        self, module: DenoiserLoss, name: str, look: Look, *, control_drop: float
    ) -> Phase:
        return ResidentDenoiserPhase(
            module, self._latents, name=name, seed=self._options.seed,
            control_drop=control_drop, look=look,
        )  # fmt: skip

    def close(self) -> None:
        self._examples.close()
