"""Which functions make up the modes ``exact`` and ``fast``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from diffusers import AutoencoderKL

from adabldm.core.devices import half_precision
from adabldm.sampling.blending import Source
from adabldm.sampling.closed_form import smooth_correction
from adabldm.sampling.ddim import ddim_schedule
from adabldm.sampling.decoder_adaptation import Adapted, adapt_decoder, adaptation_loss
from adabldm.sampling.exact import sample
from adabldm.sampling.fast import fast_schedule, sample_fast
from adabldm.sampling.noise import NoiseSource
from adabldm.sampling.options import FastOptions, SamplerOptions, boundary_step
from adabldm.sampling.predictor import NoisePredictor


def precision(device: torch.device, options: SamplerOptions) -> AbstractContextManager[Any]:
    """Within it stages 1 and 2 are computed: ``fast`` in half precision where the device has one,
    ``exact`` always in the weights' own."""
    return half_precision(device) if isinstance(options, FastOptions) else nullcontext()


def sample_latents(
    vae: AutoencoderKL,
    predictor: NoisePredictor,
    source: Source,
    alphas_cumprod: torch.Tensor,
    noise: NoiseSource,
    options: SamplerOptions,
) -> torch.Tensor:
    """Stages 1 and 2: the final latents (N, C, h, w) of a batch, scaled."""
    if isinstance(options, FastOptions):
        return sample_fast(
            vae,
            predictor,
            source,
            fast_schedule(
                alphas_cumprod,
                steps=options.steps,
                image_edits=options.image_edits,
                latent_editing_start=options.latent_editing_start,
                image_editing_start=options.image_editing_start,
            ),
            noise,
            solver=options.solver,
            guided_edits=options.guided_edits,
        )
    schedule = ddim_schedule(alphas_cumprod, options.steps, options.eta)
    return sample(
        vae,
        predictor,
        source,
        schedule,
        alphas_cumprod,
        noise,
        latent_editing_start=boundary_step(options.latent_editing_start, len(schedule)),
        image_editing_start=boundary_step(options.image_editing_start, len(schedule)),
    )


def adapt(
    vae: AutoencoderKL,
    latents: torch.Tensor,
    blended: torch.Tensor,
    source: Source,
    options: SamplerOptions,
) -> list[Adapted]:
    """Stage 3: one result a request; each is adapted by itself.

    ``latents`` (N, C, h, w) scaled; ``blended`` D(z) (N, 3, H, W); ``source`` of the same N.
    """
    adapted = [
        _trained(vae, latents[i : i + 1], blended[i : i + 1], source.part(i), options)
        for i in range(len(latents))
    ]
    if isinstance(options, FastOptions) and options.smoothness is not None:
        return _corrected(adapted, blended, source, options.background_weight, options.smoothness)
    return adapted


def _trained(
    vae: AutoencoderKL,
    latents: torch.Tensor,
    blended: torch.Tensor,
    source: Source,
    options: SamplerOptions,
) -> Adapted:
    """One request's image by a decoder of its own; D(z) itself if no step is asked for."""
    if options.adaptation_steps == 0:
        return Adapted(image=blended, losses=())
    return adapt_decoder(
        vae,
        latents,
        blended,
        source.images,
        source.pixel_keep,
        steps=options.adaptation_steps,
        rate=options.adaptation_rate,
        background_weight=options.background_weight,
    )


def _corrected(
    adapted: list[Adapted],
    blended: torch.Tensor,
    source: Source,
    background_weight: float,
    smoothness: float,
) -> list[Adapted]:
    """All requests' images corrected together; the losses before and after are added."""
    images = smooth_correction(
        torch.cat([one.image for one in adapted]),
        blended,
        source.images,
        source.pixel_keep,
        background_weight=background_weight,
        smoothness=smoothness,
    )
    results = []
    for i, one in enumerate(adapted):
        image, part = images[i : i + 1], source.part(i)
        losses = [
            adaptation_loss(
                made, blended[i : i + 1], part.images, part.pixel_keep, background_weight
            )
            for made in (one.image, image)
        ]
        results.append(replace(one, image=image, losses=(*one.losses, *map(float, losses))))
    return results
