"""Stage 3 of ``exact``, online decoder adaptation (paper, section III-D, equations 7 to 9)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import nn

from adabldm.networks.autoencoder import decoder_input
from adabldm.sampling.blending import GoodImages
from adabldm.sampling.options import ModeOptions


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """``image`` (N, 3, H, W) as adapted, and the ``losses`` before each step."""

    image: torch.Tensor
    losses: tuple[float, ...]


def adaptation_terms(
    decoded: torch.Tensor, defective: torch.Tensor, good: torch.Tensor, keep: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Equation 9's two terms: MSE on the defect against D(z), MSE on the background against the
    good image, unweighted. Images (N, 3, H, W), ``keep`` (N, 1, H, W); means run over all pixels.
    """
    defect = 1 - keep
    foreground = F.mse_loss(decoded * defect, defective * defect)
    background = F.mse_loss(decoded * keep, good * keep)
    return foreground, background


def adaptation_loss(
    decoded: torch.Tensor,
    defective: torch.Tensor,
    good: torch.Tensor,
    keep: torch.Tensor,
    background_weight: float,
) -> torch.Tensor:
    """The sum of :func:`adaptation_terms`, the background's weighted."""
    foreground, background = adaptation_terms(decoded, defective, good, keep)
    return foreground + background_weight * background


def adapt_decoder(
    vae: AutoencoderKL,
    latents: torch.Tensor,
    defective: torch.Tensor,
    good: torch.Tensor,
    keep: torch.Tensor,
    *,
    steps: int,
    rate: float,
    background_weight: float,
    watch: Callable[[int, nn.Module], None] | None = None,
) -> Adapted:
    """Fit a copy of the decoder to these images and decode with it; ``vae`` is left unchanged.

    ``latents`` (N, C, h, w) scaled; ``defective`` D(z) and ``good`` (N, 3, H, W) in [-1, 1];
    ``keep`` (N, 1, H, W). One copy serves all N: call it with N = 1 for a decoder of its own.
    ``watch(step, decoder)`` is called after each step's gradients and before its update.
    """
    decoder = copy.deepcopy(vae.decoder).requires_grad_(True)
    with torch.no_grad():
        features = decoder_input(vae, latents)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=rate)
    losses = []
    with torch.enable_grad():
        for step in range(steps):
            loss = adaptation_loss(decoder(features), defective, good, keep, background_weight)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            losses.append(loss.detach())
            if watch is not None:
                watch(step, decoder)
            optimizer.step()
    with torch.no_grad():
        image = decoder(features)
    return Adapted(image=image, losses=tuple(torch.stack(losses).tolist() if losses else ()))


def adapt(
    vae: AutoencoderKL,
    latents: torch.Tensor,
    blended: torch.Tensor,
    good: GoodImages,
    options: ModeOptions,
) -> list[Adapted]:
    """One result a request, each by a decoder of its own; D(z) itself if no step is asked for.

    ``latents`` (N, C, h, w) scaled; ``blended`` D(z) (N, 3, H, W); ``good`` of the same N.
    """
    if options.adaptation_steps == 0:
        return [Adapted(image=one, losses=()) for one in blended.split(1)]
    return [
        adapt_decoder(
            vae,
            latents[i : i + 1],
            blended[i : i + 1],
            own.images,
            own.pixel_keep,
            steps=options.adaptation_steps,
            rate=options.adaptation_rate,
            background_weight=options.background_weight,
        )
        for i, own in enumerate(good.each())
    ]
