from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from adabldm.networks.ldm_checkpoint import authors_scheduler
from adabldm.sampling.ddim import cumulative_alphas, ddim_schedule, ddim_step, q_sample
from adabldm.sampling.options import first_step

ALPHAS = cumulative_alphas(authors_scheduler())


@pytest.mark.parametrize(("asked", "run"), [(50, 50), (10, 10), (12, 13), (1, 1), (1000, 999)])
def test_the_schedule_has_the_authors_length(asked, run):
    assert len(ddim_schedule(ALPHAS, asked, 0.0)) == run


@pytest.mark.parametrize("asked", [3, 9, 27, 36, 37, 101, 111])
def test_step_counts_that_crash_the_authors_program_stay_inside_the_table(asked):
    schedule = ddim_schedule(ALPHAS, asked, 0.0)
    assert schedule.timesteps.max() < 1000
    assert abs(len(schedule) - asked) <= 1 or asked > 100


def test_a_step_agrees_with_diffusers():
    theirs = DDIMScheduler.from_config(authors_scheduler().config)
    theirs.set_timesteps(50)
    schedule = ddim_schedule(ALPHAS, 50, 0.0)
    z, eps = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    for step in (0, 20, 48):
        t = int(schedule.timesteps[step])
        ours, x0_hat = ddim_step(schedule, step, z, eps, None)
        expected = theirs.step(eps, t, z)
        assert torch.allclose(ours, expected.prev_sample, atol=1e-5)
        assert torch.allclose(x0_hat, expected.pred_original_sample, atol=1e-3, rtol=1e-4)


def test_the_true_noise_brings_back_the_clean_latent():
    z0, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    schedule = ddim_schedule(ALPHAS, 50, 0.0)
    for step in (5, 30, 49):
        noised = q_sample(ALPHAS, z0, int(schedule.timesteps[step]), noise)
        _, x0_hat = ddim_step(schedule, step, noised, noise, None)
        assert torch.allclose(x0_hat, z0, atol=1e-3)


def test_noise_at_the_last_timestep_hides_the_latent():
    alphas = torch.tensor([1.0, 0.0])
    z0, noise = torch.randn(2, 4, 2, 2), torch.randn(2, 4, 2, 2)
    noised = q_sample(alphas, z0, torch.tensor([0, 1]), noise)
    assert torch.equal(noised[0], z0[0])
    assert torch.equal(noised[1], noise[1])


def test_each_of_a_batch_is_noised_as_it_would_be_alone():
    z0, noise, steps = torch.randn(3, 4, 2, 2), torch.randn(3, 4, 2, 2), [1, 500, 999]
    together = q_sample(ALPHAS, z0, torch.tensor(steps), noise)
    for row, t in enumerate(steps):
        part = slice(row, row + 1)
        assert torch.equal(together[part], q_sample(ALPHAS, z0[part], t, noise[part]))


def test_eta_adds_noise_and_zero_adds_none():
    schedule = ddim_schedule(ALPHAS, 10, 1.0)
    assert (schedule.sigmas > 0).all()
    assert not ddim_schedule(ALPHAS, 10, 0.0).sigmas.any()
    z = torch.zeros(1, 4, 8, 8)
    quiet, _ = ddim_step(schedule, 3, z, z, torch.zeros_like(z))
    loud, _ = ddim_step(schedule, 3, z, z, torch.ones_like(z))
    assert torch.allclose(loud - quiet, torch.full_like(z, schedule.sigmas[3]))


def test_boundaries_are_steps_or_fractions():
    assert first_step(0.52, 50) == 26
    assert first_step(0.9, 50) == 45
    assert first_step(7, 50) == 7
    assert np.isclose(first_step(0.9, 20), 18)
