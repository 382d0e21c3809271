"""Training losses, a value an example, so that a batch may be parted in any way."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

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


def add_noise(
    latents: torch.Tensor, noise: torch.Tensor, alphas_cumprod: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    """q(z_t | z_0), equation 1: latents and noise (N, C, h, w), t (N,) in 0..999."""
    alpha = alphas_cumprod[t].view(-1, 1, 1, 1)
    return alpha.sqrt() * latents + (1 - alpha).sqrt() * noise


def epsilon_loss(predicted: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the predicted noise (equation 2)."""
    return F.mse_loss(predicted, noise)


def min_snr_weight(alphas_cumprod: torch.Tensor, t: torch.Tensor, gamma: float) -> torch.Tensor:
    """Weights (N,) of the noise prediction's errors at ``t`` (N,): min(SNR, gamma) / SNR.

    Hang et al., "Efficient diffusion training via min-SNR weighting strategy", ICCV 2023.
    """
    alpha = alphas_cumprod[t]
    snr = alpha / (1 - alpha)
    return snr.clamp_max(gamma) / snr
