"""Stages 1 and 2 of ``exact``, the blended sampler: free diffusion, latent editing, image editing
(paper, section III-C, algorithm 1)."""

from __future__ import annotations

from dataclasses import replace

import torch
from diffusers import AutoencoderKL

from adabldm.networks.autoencoder import decode, encode
from adabldm.sampling.blending import GoodImages, Watch, edit_images, edit_latents, unwatched
from adabldm.sampling.ddim import ddim_schedule, ddim_step, q_sample
from adabldm.sampling.noise import NoiseSource
from adabldm.sampling.options import ExactOptions, first_step
from adabldm.sampling.predictor import NoisePredictor

TRIED_STEPS = 10
"""Steps of a trial: the fewest of which one still edits images."""


def sample(
    vae: AutoencoderKL,
    predictor: NoisePredictor,
    good: GoodImages,
    alphas_cumprod: torch.Tensor,
    noise: NoiseSource,
    options: ExactOptions,
    watch: Watch = unwatched,
) -> torch.Tensor:
    """Stages 1 and 2 for a batch; returns the final latents (N, C, h, w), scaled.

    Latent editing comes before the step for ``latent_editing_start <= i <= image_editing_start``,
    image editing after the step for ``i >= image_editing_start``. The edited image is noised to
    the t that its step came from, as the authors do.
    """
    schedule = ddim_schedule(alphas_cumprod, options.steps, options.eta)
    latent_editing = first_step(options.latent_editing_start, len(schedule))
    image_editing = first_step(options.image_editing_start, len(schedule))
    shape = good.latents.shape
    z = noise.draw("x_T", None, shape)
    for i, t in enumerate(schedule.timesteps.tolist()):
        if latent_editing <= i <= image_editing:
            drawn = noise.draw("latent_blend_q_sample", i, shape)
            z_good = q_sample(alphas_cumprod, good.latents, t, drawn)
            z = edit_latents(z, z_good, good.latent_keep)
            watch("latent_blend_noised", i, z_good)
        watch("x_in", i, z)
        unconditional, conditional = predictor.passes(z, t)
        watch("eps_uncond", i, unconditional)
        watch("eps_cond", i, conditional)
        eps = predictor.guide(unconditional, conditional)
        drawn_sigma = noise.draw("ddim_sigma", i, shape) if schedule.sigmas[i] > 0 else None
        z, x0_hat = ddim_step(schedule, i, z, eps, drawn_sigma)
        watch("ddim_x_prev", i, z)
        watch("pred_x0", i, x0_hat)
        if i >= image_editing:
            decoded = decode(vae, x0_hat)
            composed = edit_images(decoded, good.images, good.pixel_keep)
            posterior = noise.draw("pixel_blend_encode_posterior", i, shape)
            z0 = encode(vae, composed, posterior)
            drawn = noise.draw("pixel_blend_q_sample", i, shape)
            z = q_sample(alphas_cumprod, z0, t, drawn)
            watch("pixel_blend_decoded", i, decoded)
            watch("pixel_blend_image", i, composed)
            watch("pixel_blend_z", i, z0)
            watch("pixel_blend_noised", i, z)
        watch("x_out", i, z)
    return z


def trial(options: ExactOptions) -> ExactOptions:
    """``options`` with as little work as still takes their memory: a few steps of every stage. All
    steps where a stage begins at a step of its own, which fewer might not reach."""
    boundaries = options.latent_editing_start, options.image_editing_start
    fractions = all(isinstance(boundary, float) for boundary in boundaries)
    return replace(
        options,
        steps=min(TRIED_STEPS, options.steps) if fractions else options.steps,
        adaptation_steps=min(1, options.adaptation_steps),
    )
