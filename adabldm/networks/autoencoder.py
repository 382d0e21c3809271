"""Between pixels and latents: AutoencoderKL with its latents scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Where encoded images lie: ``mean`` and ``std`` (N, C, H / f, W / f), unscaled, and the
    model's scaling factor."""

    mean: torch.Tensor
    std: torch.Tensor
    scaling_factor: float

    def draw(self, noise: torch.Tensor) -> torch.Tensor:
        """Scaled latents for a standard normal ``noise``, shaped like ``mean``."""
        return (self.mean + self.std * noise) * self.scaling_factor

    @staticmethod
    def together(parts: Sequence[Posterior]) -> Posterior:
        """The posteriors of one model as one batch."""
        return Posterior(
            mean=torch.cat([part.mean for part in parts]),
            std=torch.cat([part.std for part in parts]),
            scaling_factor=parts[0].scaling_factor,
        )


def posterior(vae: AutoencoderKL, images: torch.Tensor) -> Posterior:
    """The posterior of images (N, 3, H, W) in [-1, 1]."""
    latents = vae.encode(images).latent_dist
    scaling_factor = vae.config.scaling_factor
    return Posterior(mean=latents.mean, std=latents.std, scaling_factor=scaling_factor)


def encode(vae: AutoencoderKL, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """A draw from the posterior, scaled: images (N, 3, H, W) in [-1, 1], noise and result
    (N, C, H / f, W / f)."""
    return posterior(vae, images).draw(noise)


def decode(vae: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    """Scaled latents (N, C, h, w) to images (N, 3, h f, w f), about [-1, 1], unclipped."""
    return vae.decode(latents / vae.config.scaling_factor).sample


def decoder_input(vae: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    """What ``vae.decoder`` gets for scaled ``latents``: the part that adaptation never changes."""
    unscaled = latents / vae.config.scaling_factor
    return unscaled if vae.post_quant_conv is None else vae.post_quant_conv(unscaled)


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) in [-1, 1] to uint8 (N, H, W, 3), truncating as the authors do."""
    return (images * 127.5 + 127.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def from_uint8(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, 3) to float (N, 3, H, W) in [-1, 1]."""
    return (pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()
