"""The blended sampler: free diffusion, latent editing, image editing (paper, section III-C,
algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel

from adabldm.autoencoder import decode, encode
from adabldm.devices import begin_step
from adabldm.noise import NoiseSource
from adabldm.schedule import DDIMSchedule, ddim_step, q_sample

Watch = Callable[[str, int, torch.Tensor], None]
"""Called as ``watch(quantity, step, tensor)`` with intermediate results."""


def ignore(quantity: str, step: int, value: torch.Tensor) -> None:
    """The :data:`Watch` that watches nothing."""
    del quantity, step, value


def timestep(z: torch.Tensor, t: int) -> torch.Tensor:
    """``t`` as a tensor (1,) beside ``z``: a network is compiled for every number, but once for a
    tensor."""
    return torch.full((1,), t, device=z.device)


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """Text embeddings (N, L, D): of the prompt, of the negative prompt, and of the empty text,
    which is all that the control branch sees."""

    prompt: torch.Tensor
    negative: torch.Tensor
    empty: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class NoisePredictor:
    """The guided noise prediction of a batch.

    The control residuals do not depend on the prompt, so they are computed once a step and serve
    both guidance passes.
    """

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    control_image: torch.Tensor
    contexts: Contexts
    guidance: float

    def control(self, z: torch.Tensor, t: int) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Residuals of the down blocks and of the middle block. Begins a step."""
        begin_step(z.device)
        down, middle = self.controlnet(
            z,
            timestep(z, t),
            encoder_hidden_states=self.contexts.empty,
            controlnet_cond=self.control_image,
            return_dict=False,
        )
        return list(down), middle

    def passes(self, z: torch.Tensor, t: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(unconditional, conditional) noise prediction, each shaped like ``z``."""
        down, middle = self.control(z, t)
        both = self.unet(
            torch.cat([z, z]),
            timestep(z, t),
            encoder_hidden_states=torch.cat([self.contexts.negative, self.contexts.prompt]),
            down_block_additional_residuals=[torch.cat([part, part]) for part in down],
            mid_block_additional_residual=torch.cat([middle, middle]),
            return_dict=False,
        )[0]
        unconditional, conditional = both.to(z.dtype).chunk(2)
        return unconditional, conditional

    def conditional(self, z: torch.Tensor, t: int) -> torch.Tensor:
        """The noise prediction for the prompt alone, without guidance, shaped like ``z``."""
        down, middle = self.control(z, t)
        predicted = self.unet(
            z,
            timestep(z, t),
            encoder_hidden_states=self.contexts.prompt,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return predicted.to(z.dtype)

    def guide(self, unconditional: torch.Tensor, conditional: torch.Tensor) -> torch.Tensor:
        return unconditional + self.guidance * (conditional - unconditional)


@dataclass(frozen=True, kw_only=True)
class Source:
    """The good images of a batch: ``images`` (N, 3, H, W) in [-1, 1]; their ``latents``
    (N, C, h, w); ``pixel_keep`` (N, 1, H, W) and ``latent_keep`` (N, 1, h, w), 1 = keep."""

    images: torch.Tensor
    latents: torch.Tensor
    pixel_keep: torch.Tensor
    latent_keep: torch.Tensor

    def part(self, which: int | slice) -> Source:
        """Some of the batch, as a batch."""
        chosen = slice(which, which + 1) if isinstance(which, int) else which
        return Source(
            images=self.images[chosen],
            latents=self.latents[chosen],
            pixel_keep=self.pixel_keep[chosen],
            latent_keep=self.latent_keep[chosen],
        )


def edit_latents(
    z: torch.Tensor, z_good: torch.Tensor, keep: torch.Tensor
) -> torch.Tensor:  # equation 5
    """Latent editing: z <- m q(z_ok, t) + (1 - m) z, with ``z_good`` already noised to t."""
    return z_good * keep + (1 - keep) * z


def edit_images(
    decoded: torch.Tensor, good: torch.Tensor, keep: torch.Tensor
) -> torch.Tensor:  # equation 6
    """Image editing: the good image outside the defect, the decoded x0_hat inside."""
    return good * keep + decoded * (1 - keep)


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
