"""The blended sampler: free diffusion, latent editing, image editing (paper, section III-C,
algorithm 1)."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL

from adabldm.networks.autoencoder import decode, encode
from adabldm.sampling.blending import Source, Watch, edit_images, edit_latents, ignore
from adabldm.sampling.ddim import DDIMSchedule, ddim_step, q_sample
from adabldm.sampling.noise import NoiseSource
from adabldm.sampling.predictor import NoisePredictor


def sample(
    vae: AutoencoderKL,
    predictor: NoisePredictor,
    source: Source,
    schedule: DDIMSchedule,
    alphas_cumprod: torch.Tensor,
    noise: NoiseSource,
    *,
    latent_editing_start: int,
    image_editing_start: int,
    watch: Watch = ignore,
) -> torch.Tensor:
    """Stages 1 and 2 for a batch; returns the final latents (N, C, h, w), scaled.

    Latent editing comes before the step for ``latent_editing_start <= i <= image_editing_start``,
    image editing after the step for ``i >= image_editing_start``. The edited image is noised to
    the t that its step came from, as the authors do.
    """
    shape = source.latents.shape
    z = noise.draw("x_T", None, shape)
    for i, t in enumerate(schedule.timesteps.tolist()):
        if latent_editing_start <= i <= image_editing_start:
            drawn = noise.draw("latent_blend_q_sample", i, shape)
            z_good = q_sample(alphas_cumprod, source.latents, t, drawn)
            z = edit_latents(z, z_good, source.latent_keep)
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
        if i >= image_editing_start:
            decoded = decode(vae, x0_hat)
            composed = edit_images(decoded, source.images, source.pixel_keep)
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
