from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UniPCMultistepScheduler

from adabldm.networks.autoencoder import encode
from adabldm.networks.ldm_checkpoint import authors_scheduler
from adabldm.sampling.blending import GoodImages
from adabldm.sampling.ddim import cumulative_alphas, ddim_schedule, ddim_step
from adabldm.sampling.fast import (
    FastSchedule,
    dpm_solver_step,
    fast_schedule,
    sample,
    unipc_correction,
)
from adabldm.sampling.keep_masks import latent_keep_mask, pixel_keep_mask
from adabldm.sampling.noise import CounterNoise
from adabldm.sampling.options import FastOptions
from adabldm.sampling.predictor import NoisePredictor, TextEmbeddings
from tests.support.tiny import SIDE, tiny_pipeline

ALPHAS = cumulative_alphas(authors_scheduler())
BOUNDARIES = {"latent_editing_start": 0.52, "image_editing_start": 0.9}


def schedule_of(steps: int = 15, image_edits: int = 5) -> FastSchedule:
    return fast_schedule(ALPHAS, steps=steps, image_edits=image_edits, **BOUNDARIES)


def test_the_edits_are_at_the_papers_noise_levels():
    paper = ddim_schedule(ALPHAS, 50, 0.0)
    fast = schedule_of()
    assert fast.timesteps[-5:].tolist() == paper.timesteps[45:].tolist()
    assert fast.timesteps[0] == paper.timesteps[0]


@pytest.mark.parametrize("steps", [6, 7, 15, 31, 200])
@pytest.mark.parametrize("edits", [0, 1, 3, 5])
def test_boundaries_are_noise_levels_whatever_the_steps(steps, edits):
    fast = schedule_of(steps, edits)
    assert len(fast) == steps
    assert (np.diff(fast.timesteps) < 0).all()
    assert fast.timesteps[-1] == 1
    assert (fast.timesteps[fast.latent_editing :] <= 480).all()
    assert (fast.timesteps[: fast.latent_editing] > 480).all()
    assert (fast.timesteps[fast.image_editing :] <= 100).all()
    assert steps - fast.image_editing == edits
    assert fast.alphas[-1] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"steps": 200, "image_edits": 0},
        {"steps": 200, "image_edits": 199, "image_editing_start": 0.5, "latent_editing_start": 0.3},
        {"steps": 200, "image_edits": 1, "image_editing_start": 0.5, "latent_editing_start": 0.0},
        {"steps": 6, "image_edits": 5, "image_editing_start": 0.995, "latent_editing_start": 0.99},
        {"steps": 1, "image_edits": 0},
    ],
)
def test_whatever_options_are_legal_the_steps_fall_to_the_last(given):
    options = FastOptions(**given)
    fast = fast_schedule(
        ALPHAS,
        steps=options.steps,
        image_edits=options.image_edits,
        latent_editing_start=options.latent_editing_start,
        image_editing_start=options.image_editing_start,
    )
    assert (np.diff(fast.timesteps) < 0).all()
    assert 0 < fast.timesteps[-1] <= fast.timesteps[0] < 1000
    assert len(fast) == options.steps


def test_the_first_order_step_is_ddims():
    fast, z, eps = schedule_of(), torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    paper = ddim_schedule(ALPHAS, 50, 0.0)
    pair = replace(
        paper,
        alphas=fast.alphas[:1],
        alphas_prev=fast.alphas[1:2],
        sigmas=np.zeros(1),
    )
    previous, x0_hat = ddim_step(pair, 0, z, eps, None)
    ours = dpm_solver_step(fast, 0, z, x0_hat, None)
    assert torch.allclose(ours, previous, atol=1e-5)


def solve(steps: int, solver: str) -> float:
    """Error at t = 1 for data that are normal with standard deviation 0.5, whose flow is known."""
    spread = 0.5

    def total(alpha: float) -> float:
        return math.sqrt(alpha * spread**2 + 1 - alpha)

    fast = schedule_of(steps, 0)
    z = z_before = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    known: list[torch.Tensor] = []
    for i in range(steps - 1):
        alpha = fast.alphas[i]
        known = [*known[-2:], math.sqrt(alpha) * spread**2 / total(alpha) ** 2 * z]
        if solver == "unipc" and i:
            z = unipc_correction(fast, i, z_before, known)
        z_before = z
        second = i and solver != "ddim"
        z = dpm_solver_step(fast, i, z, known[-1], known[-2] if second else None)
    exact = total(fast.alphas[steps - 1]) / total(fast.alphas[0])
    return abs(z.item() - exact)


def test_the_solver_is_of_second_order():
    assert solve(400, "dpm-solver++") < solve(200, "dpm-solver++") / 3
    assert solve(200, "dpm-solver++") < solve(200, "ddim") / 3


def test_the_correction_makes_it_better():
    assert solve(400, "unipc") < solve(200, "unipc") / 3
    for steps in (50, 100, 200):
        assert solve(steps, "unipc") < 0.95 * solve(steps, "dpm-solver++")


def test_the_corrected_solver_is_diffusers_unipc():
    fast, eps_of = schedule_of(10, 0), lambda z, t: torch.sin(3 * z + t / 300)
    alphas = torch.from_numpy(fast.alphas)
    theirs = UniPCMultistepScheduler(
        solver_order=2, solver_type="bh2", lower_order_final=False, final_sigmas_type="zero"
    )
    theirs.set_timesteps(len(fast))
    theirs.timesteps = torch.from_numpy(fast.timesteps)
    theirs.sigmas = ((1 - alphas) / alphas).sqrt()
    torch.manual_seed(0)
    z = z_before = sample = torch.randn(1, 4, 8, 8, dtype=torch.float64)
    known: list[torch.Tensor] = []
    for i, t in enumerate(fast.timesteps.tolist()[:-1]):
        sample = theirs.step(eps_of(sample, t), t, sample).prev_sample
        known = [*known[-2:], (z - fast.sigma(i) * eps_of(z, t)) / fast.signal(i)]
        if i:
            z = unipc_correction(fast, i, z_before, known)
        z_before = z
        z = dpm_solver_step(fast, i, z, known[-1], known[-2] if i else None)
        assert torch.allclose(z, sample, atol=1e-6), i


def run(steps: int = 8, edits: int = 3, **more: Any) -> tuple[torch.Tensor, GoodImages, list, int]:
    pipeline = tiny_pipeline()
    marks = torch.full((1, SIDE, SIDE), 127, dtype=torch.uint8)
    marks[:, 24:32, 24:32] = 255
    empty = pipeline.encode_prompts([""]).detach()
    calls = []
    forward = pipeline.unet.forward
    pipeline.unet.forward = lambda z, *a, **k: calls.append(len(z)) or forward(z, *a, **k)
    predictor = NoisePredictor(
        unet=pipeline.unet,
        controlnet=pipeline.controlnet,
        control_image=torch.zeros(1, 3, SIDE, SIDE),
        texts=TextEmbeddings(prompt=empty, negative=empty, empty=empty),
        guidance=9.0,
    )
    seen: list[tuple[str, int]] = []
    with torch.no_grad():
        images = torch.zeros(1, 3, SIDE, SIDE)
        good = GoodImages(
            images=images,
            latents=encode(pipeline.vae, images, torch.zeros(1, 4, 8, 8)),
            pixel_keep=pixel_keep_mask(marks),
            latent_keep=latent_keep_mask(marks, 8),
        )
        final = sample(
            pipeline.vae,
            predictor,
            good,
            ALPHAS,
            CounterNoise([1]),
            FastOptions(**{"steps": steps, "image_edits": edits, "guided_edits": True} | more),
            watch=lambda quantity, step, _: seen.append((quantity, step)),
        )
    return final, good, seen, calls


def test_all_three_stages_run_and_the_last_steps_edit_images():
    final, _, seen, calls = run()
    assert torch.isfinite(final).all()
    assert [step for quantity, step in seen if quantity == "pixel_blend_z"] == [5, 6, 7]
    assert calls == [2] * 8


@pytest.mark.parametrize("solver", ["unipc", "ddim"])
def test_every_solver_runs_all_three_stages(solver: str):
    first, *_ = run()
    final, _, seen, calls = run(solver=solver)
    assert torch.isfinite(final).all()
    assert [step for quantity, step in seen if quantity == "pixel_blend_z"] == [5, 6, 7]
    assert calls == [2] * 8
    assert not torch.equal(final, first)


def test_edits_without_guidance_cost_one_pass():
    *_, calls = run(guided_edits=False)
    assert calls == [2] * 5 + [1] * 3


def test_without_image_edits_the_background_ends_as_the_good_latents():
    """Latent editing then goes on to the last step, whose noise is nearly none."""
    final, good, seen, _ = run(steps=12, edits=0)
    assert not [step for quantity, step in seen if quantity == "pixel_blend_z"]
    assert torch.isfinite(final).all()
    assert final.shape == good.latents.shape
