"""The DDIM schedule and step (Song et al., equation 12), in the authors' spacing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler


def cumulative_alphas(scheduler: DDIMScheduler) -> torch.Tensor:
    """The scheduler's cumulative products of alpha, float32 (1000,).

    For the scaled linear schedule they are computed in float64 and rounded once, as the authors
    do; diffusers multiplies in float32 and is a few units off in the last place.
    """
    config = scheduler.config
    if config.beta_schedule != "scaled_linear" or config.trained_betas is not None:
        return scheduler.alphas_cumprod
    ends = (config.beta_start**0.5, config.beta_end**0.5)
    betas = torch.linspace(*ends, config.num_train_timesteps, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0).float()


@dataclass(frozen=True, kw_only=True)
class DDIMSchedule:
    """Per step, in sampling order (t falls): ``timesteps`` int, and float64 ``alphas`` and
    ``alphas_prev`` (cumulative products at t and at the next t) and ``sigmas``."""

    timesteps: np.ndarray
    alphas: np.ndarray
    alphas_prev: np.ndarray
    sigmas: np.ndarray

    def __len__(self) -> int:
        return len(self.timesteps)


def ddim_schedule(alphas_cumprod: torch.Tensor, steps: int, eta: float) -> DDIMSchedule:
    """Timesteps 1, 1 + d, 1 + 2d, ... with d = 1000 // steps, for ``alphas_cumprod`` (1000,).

    Where ``steps`` does not divide 1000 there are more steps than asked for; a timestep beyond
    the table (where the authors' program stops with an error) is left out. After the last step
    alpha is ``alphas_cumprod[0]``, not 1.
    """
    total = len(alphas_cumprod)
    ascending = np.arange(0, total, total // steps) + 1
    ascending = ascending[ascending < total]
    table = alphas_cumprod.double().cpu().numpy()
    alphas = table[ascending]
    alphas_prev = np.concatenate([table[:1], alphas[:-1]])
    sigmas = eta * np.sqrt((1 - alphas_prev) / (1 - alphas) * (1 - alphas / alphas_prev))
    return DDIMSchedule(
        timesteps=ascending[::-1].copy(),
        alphas=alphas[::-1].copy(),
        alphas_prev=alphas_prev[::-1].copy(),
        sigmas=sigmas[::-1].copy(),
    )


def ddim_step(
    schedule: DDIMSchedule,
    step: int,
    z: torch.Tensor,
    eps: torch.Tensor,
    noise: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step from z_t to z_{t-1}: returns (z_{t-1}, x0_hat), shaped like ``z`` (N, C, h, w).

    ``noise`` is needed only where the schedule's sigma is not 0.
    """

    def scalar(value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float32, device=z.device)

    alpha, alpha_prev = scalar(schedule.alphas[step]), scalar(schedule.alphas_prev[step])
    sigma = scalar(schedule.sigmas[step])
    x0_hat = (z - scalar(np.sqrt(1 - schedule.alphas[step])) * eps) / alpha.sqrt()
    direction = (1 - alpha_prev - sigma**2).sqrt() * eps
    previous = alpha_prev.sqrt() * x0_hat + direction
    if noise is not None:
        previous = previous + sigma * noise
    return previous, x0_hat


def q_sample(
    alphas_cumprod: torch.Tensor, z0: torch.Tensor, t: int | torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """q(z_t | z_0) (equation 1): ``z0`` and ``noise`` (N, C, h, w); ``t`` in 0..999, one for all
    or (N,)."""
    alpha = alphas_cumprod[t]
    if alpha.ndim:
        alpha = alpha.view(-1, 1, 1, 1)
    return alpha.sqrt() * z0 + (1 - alpha).sqrt() * noise
