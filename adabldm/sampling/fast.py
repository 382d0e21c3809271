"""Stages 1 and 2 of ``fast``: the paper's on a second-order solver with few steps.

DPM-Solver++(2M) (Lu et al., *DPM-Solver++: fast solver for guided sampling of diffusion
probabilistic models*, 2022, algorithm 2) works on x0_hat, which is what image editing edits. UniPC
(Zhao et al., *UniPC: a unified predictor-corrector framework for fast sampling of diffusion
models*, 2023) is the same step, and a correction of it that costs no call of the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from diffusers import AutoencoderKL

from adabldm.networks.autoencoder import decode, encode
from adabldm.sampling.blending import GoodImages, Watch, edit_images, edit_latents, unwatched
from adabldm.sampling.noise import NoiseSource
from adabldm.sampling.options import TRAINED_STEPS, FastOptions
from adabldm.sampling.predictor import NoisePredictor

FIRST = 0.98
"""The share of the diffusion's time at which the paper's 50 steps begin."""


@dataclass(frozen=True, kw_only=True)
class FastSchedule:
    """Per step, in sampling order (t falls): ``timesteps`` int (n,); ``alphas`` float64 (n + 1,),
    the cumulative product (noise level) at each and, last, 1: no noise. Steps from
    ``latent_editing`` on edit latents, steps from ``image_editing`` on edit images instead."""

    timesteps: np.ndarray
    alphas: np.ndarray
    latent_editing: int
    image_editing: int

    def __len__(self) -> int:
        return len(self.timesteps)

    def signal(self, step: int) -> float:
        """sqrt(alpha) at ``step``."""
        return math.sqrt(self.alphas[step])

    def sigma(self, step: int) -> float:
        """sqrt(1 - alpha) at ``step``."""
        return math.sqrt(1 - self.alphas[step])

    def first_at(self, strength: float) -> int:
        """The first step within this share of the diffusion's time, the last one at the latest."""
        beyond = int((self.timesteps > strength * TRAINED_STEPS).sum())
        return min(beyond, len(self) - 1)

    def half_log_snr(self, step: int) -> float:
        """lambda, log(sqrt(alpha) / sqrt(1 - alpha)); infinite after the last step."""
        sigma = self.sigma(step)
        return math.inf if sigma == 0 else math.log(self.signal(step) / sigma)


def fast_schedule(
    alphas_cumprod: torch.Tensor,
    *,
    steps: int,
    image_edits: int,
    latent_editing_start: float,
    image_editing_start: float,
) -> FastSchedule:
    """``steps`` timesteps for ``alphas_cumprod`` (T,), the last ``image_edits`` of them evenly in
    the zone of image editing and the rest evenly before it.

    A boundary f is the noise level at t = (1 - f) T. With 5 edits their levels are the paper's own
    (t = 81, 61, 41, 21, 1 of 1000).
    """
    total = len(alphas_cumprod)
    first = round(FIRST * total) + 1
    zone = round((1 - image_editing_start) * total) if image_edits else 0
    before = np.linspace(first, zone + 1, steps - image_edits)
    edited = 1 + zone * np.arange(image_edits - 1, -1, -1) / max(1, image_edits)
    timesteps = np.concatenate([before, edited]).round().astype(np.int64)
    latent_level = (1 - latent_editing_start) * total
    return FastSchedule(
        timesteps=timesteps,
        alphas=np.append(alphas_cumprod.double().cpu().numpy()[timesteps], 1.0),
        latent_editing=int((timesteps > latent_level).sum()),
        image_editing=steps - image_edits,
    )


def dpm_solver_step(
    schedule: FastSchedule,
    step: int,
    z: torch.Tensor,
    x0_hat: torch.Tensor,
    x0_before: torch.Tensor | None,
) -> torch.Tensor:
    """One step of DPM-Solver++(2M) from z_t, shaped (N, C, h, w) like ``x0_hat``.

    ``x0_before`` is the step before's x0_hat; None makes the step first order, which is DDIM's.
    """
    now, after = schedule.half_log_snr(step), schedule.half_log_snr(step + 1)
    h = after - now
    x0 = x0_hat
    if x0_before is not None and math.isfinite(h):
        r = (now - schedule.half_log_snr(step - 1)) / h
        x0 = (1 + 1 / (2 * r)) * x0_hat - 1 / (2 * r) * x0_before
    shrink = schedule.sigma(step + 1) / schedule.sigma(step)
    return shrink * z - schedule.signal(step + 1) * math.expm1(-h) * x0


def unipc_correction(
    schedule: FastSchedule,
    step: int,
    z_before: torch.Tensor,
    predictions: list[torch.Tensor],
) -> torch.Tensor:
    """What z at ``step`` should have been, now that x0_hat is known there (UniC-2, B(h) = e^h - 1).

    ``z_before`` is z at the step before; ``predictions`` the x0_hat of the steps up to ``step``, at
    least two, the newest last; with three the correction is of third order, else of second. All
    (N, C, h, w).
    """
    before, now = schedule.half_log_snr(step - 1), schedule.half_log_snr(step)
    h = now - before
    newest, last = predictions[-1], predictions[-2]
    first = math.expm1(-h) / -h - 1  # phi functions of the exponential integrator
    shares, slopes = [0.5], [newest - last]
    if len(predictions) > 2:
        r = (schedule.half_log_snr(step - 2) - before) / h
        moments = np.array([first, 2 * (first / -h - 0.5)]) / math.expm1(-h)
        shares = np.linalg.solve([[1.0, 1.0], [r, 1.0]], moments).tolist()
        slopes = [(predictions[-3] - last) / r, newest - last]
    x0 = last + sum(share * slope for share, slope in zip(shares, slopes, strict=True))
    shrink = schedule.sigma(step) / schedule.sigma(step - 1)
    return shrink * z_before - schedule.signal(step) * math.expm1(-h) * x0


def sample(
    vae: AutoencoderKL,
    predictor: NoisePredictor,
    good: GoodImages,
    alphas_cumprod: torch.Tensor,
    noise: NoiseSource,
    options: FastOptions,
    watch: Watch = unwatched,
) -> torch.Tensor:
    """Stages 1 and 2 for a batch; returns the final latents (N, C, h, w), scaled.

    Latent editing comes before the step, as in :func:`adabldm.sampling.exact.sample`, and is made
    up to the first image-editing step. Image editing is made on x0_hat; the edited image is noised
    to the level of the next step, and the solver starts anew from there. Good images with a start
    leave out the steps before ``strength``.
    """
    schedule = fast_schedule(
        alphas_cumprod,
        steps=options.steps,
        image_edits=options.image_edits,
        latent_editing_start=options.latent_editing_start,
        image_editing_start=options.image_editing_start,
    )
    shape = good.latents.shape
    z, first = noise.draw("x_T", None, shape), 0
    if good.start is not None:
        first = schedule.first_at(options.strength)
        z = schedule.signal(first) * good.start + schedule.sigma(first) * z
    z_before = z
    known: list[torch.Tensor] = []
    for i, t in list(enumerate(schedule.timesteps.tolist()))[first:]:
        editing = i >= schedule.image_editing
        if schedule.latent_editing <= i <= schedule.image_editing:
            drawn = noise.draw("latent_blend_q_sample", i, shape)
            z_good = schedule.signal(i) * good.latents + schedule.sigma(i) * drawn
            z = edit_latents(z, z_good, good.latent_keep)
        watch("x_in", i, z)
        if options.guided_edits or not editing:
            eps = predictor.guide(*predictor.passes(z, t))
        else:
            eps = predictor.conditional(z, t)
        x0_hat = (z - schedule.sigma(i) * eps) / schedule.signal(i)
        watch("pred_x0", i, x0_hat)
        if editing:
            composed = edit_images(decode(vae, x0_hat), good.images, good.pixel_keep)
            z0 = encode(vae, composed, noise.draw("pixel_blend_encode_posterior", i, shape))
            drawn = noise.draw("pixel_blend_q_sample", i, shape)
            z = schedule.signal(i + 1) * z0 + schedule.sigma(i + 1) * drawn
            known = []
            watch("pixel_blend_z", i, z0)
        else:
            known = [*known[-2:], x0_hat]
            if options.solver == "unipc" and len(known) > 1:
                corrected = unipc_correction(schedule, i, z_before, known)
                free = i < schedule.latent_editing
                z = corrected if free else edit_latents(corrected, z, good.latent_keep)
            z_before = z
            second = options.solver != "ddim" and len(known) > 1
            z = dpm_solver_step(schedule, i, z, x0_hat, known[-2] if second else None)
        watch("x_out", i, z)
    return z


def trial(options: FastOptions) -> FastOptions:
    """``options`` with as little work as still takes their memory: two steps before the edits."""
    return replace(
        options,
        steps=min(options.image_edits + 2, options.steps),
        adaptation_steps=min(1, options.adaptation_steps),
    )
