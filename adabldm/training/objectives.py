"""Training losses, a value an example, so that a batch may be parted in any way."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import nn

from adabldm.sampling import keep_masks
from adabldm.sampling.ddim import q_sample

INSIDE_WEIGHT = 5.0
"""Weight of the autoencoder's mean absolute error under the defects."""
KL_WEIGHT = 1e-6


def narrow_posterior(vae: AutoencoderKL, log_variance: float = -8.0) -> None:
    """Start with nearly noiseless latents: wide posteriors teach a decoder to blur fine texture."""
    half = vae.config.latent_channels
    with torch.no_grad():
        vae.quant_conv.weight[half:] = 0
        vae.quant_conv.bias[half:] = log_variance


def mean_inside(error: torch.Tensor, defect: torch.Tensor) -> torch.Tensor:
    """Mean of ``error`` (N, C, H, W) where ``defect`` (N, 1, H, W) is 1: (N,), 0 without any."""
    area = defect.sum((1, 2, 3)) * error.shape[1]
    return (error * defect).sum((1, 2, 3)) / area.clamp_min(1)


def autoencoder_loss(
    vae: AutoencoderKL, images: torch.Tensor, keep: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """log MSE + mean absolute error under the defect + weak KL of the latents, (N,).

    ``images`` (N, 3, H, W) in [-1, 1]; ``keep`` (N, 1, H, W), 0 on the defect; ``noise`` standard
    normal, shaped like the latents. The logarithm makes every picture count alike, dark or
    bright, as PSNR does; the second term keeps thin defects, which image editing passes through
    the autoencoder five times.
    """
    posterior = vae.encode(images).latent_dist
    error = vae.decode(posterior.mean + posterior.std * noise).sample - images
    whole = error.square().flatten(1).mean(1).clamp_min(1e-6).log()
    return whole + INSIDE_WEIGHT * mean_inside(error.abs(), 1 - keep) + KL_WEIGHT * posterior.kl()


def min_snr_weight(alphas_cumprod: torch.Tensor, t: torch.Tensor, gamma: float) -> torch.Tensor:
    """Weights (N,) of the noise prediction's errors at ``t`` (N,): min(SNR, gamma) / SNR.

    Hang et al., "Efficient diffusion training via min-SNR weighting strategy", ICCV 2023.
    """
    alpha = alphas_cumprod[t]
    snr = alpha / (1 - alpha)
    return snr.clamp_max(gamma) / snr


class AutoencoderLoss(nn.Module):
    """Images (N, 3, H, W) in [-1, 1], keep-masks (N, 1, H, W), noise to losses (N,)."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(
        self, images: torch.Tensor, keep: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        return autoencoder_loss(self.vae, images, keep, noise)


class DenoiserLoss(nn.Module):
    """The error of the noise prediction, (N,): equation 2, and beside the mean over the picture the
    mean under its defect, weighted by ``defect_weight``.

    ``controlnet`` None leaves the control branch out. Where the U-Net is trained along with it, a
    share ``control_drop`` of examples does without, so that the U-Net also stands alone.
    """

    alphas: torch.Tensor

    def __init__(
        self,
        unet: UNet2DConditionModel,
        controlnet: ControlNetModel | None,
        alphas_cumprod: torch.Tensor,
        *,
        factor: int,
        defect_weight: float = 0.0,
        min_snr: float | None = None,
    ) -> None:
        super().__init__()
        self.unet, self.controlnet = unet, controlnet
        self.register_buffer("alphas", alphas_cumprod, persistent=False)
        self.factor, self.defect_weight, self.min_snr = factor, defect_weight, min_snr

    def forward(
        self,
        latents: torch.Tensor,
        noise: torch.Tensor,
        t: torch.Tensor,
        trimaps: torch.Tensor,
        prompts: torch.Tensor,
        empty: torch.Tensor,
        control: torch.Tensor,
    ) -> torch.Tensor:
        """Latents and noise (N, C, h, w), t (N,), trimaps uint8 (N, H, W), text embeddings
        (N, L, D) of the prompt and of the empty text, ``control`` (N,) 0 where it is left out."""
        noised = q_sample(self.alphas, latents, t, noise)
        residuals: dict[str, Any] = {}
        if self.controlnet is not None:
            down, middle = self.controlnet(
                noised,
                t,
                encoder_hidden_states=empty,
                controlnet_cond=keep_masks.control_image(trimaps),
                return_dict=False,
            )
            on = control.view(-1, 1, 1, 1)
            residuals = {
                "down_block_additional_residuals": [part * on for part in down],
                "mid_block_additional_residual": middle * on,
            }
        predicted = self.unet(noised, t, encoder_hidden_states=prompts, **residuals).sample
        error = (predicted.float() - noise).square()
        loss = error.mean((1, 2, 3))
        if self.defect_weight:
            defect = keep_masks.defect_cells(trimaps, self.factor)
            loss = loss + self.defect_weight * mean_inside(error, defect)
        if self.min_snr is not None:
            loss = loss * min_snr_weight(self.alphas, t, self.min_snr)
        return loss
