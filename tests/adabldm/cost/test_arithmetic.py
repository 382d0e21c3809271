"""The counts that the bench of the method prints."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from adabldm.cost import arithmetic
from adabldm.cost.arithmetic import (
    CONTROL,
    CORRECTION,
    DECODER,
    ENCODER,
    TRAINING,
    UNET,
    cost_of_calls,
    counted_calls,
)
from adabldm.sampling.options import ExactOptions, FastOptions, ModeOptions
from tests.support.tiny import requests, tiny_pipeline


def calls(options: ModeOptions) -> Counter[str]:
    pipeline = tiny_pipeline()
    with counted_calls(pipeline, options) as counted:
        pipeline(**requests(1), options=options)
    return counted


def test_exact_makes_the_papers_calls_and_the_control_branch_one_a_step():
    assert calls(ExactOptions(steps=10, adaptation_steps=3)) == {
        UNET: 20,
        CONTROL: 10,
        ENCODER: 1 + 1,
        DECODER: 1 + 1 + 1,
        TRAINING: 3,
        CORRECTION: 0,
    }


def test_fast_makes_one_call_a_step_where_it_edits_images_and_trains_nothing():
    assert calls(FastOptions()) == {
        UNET: 2 * 9 + 1,
        CONTROL: 10,
        ENCODER: 1 + 1,
        DECODER: 1 + 1,
        CORRECTION: 1,
    }


def test_fast_is_twenty_times_less_arithmetic_at_stable_diffusions_size():
    """With the counts of one call that were measured independently of this code."""
    large = arithmetic.stable_diffusion()
    exact = Counter({UNET: 100, CONTROL: 50, ENCODER: 6, DECODER: 7, TRAINING: 200})
    total = {}
    for options, counted in ((ExactOptions(), exact), (FastOptions(), calls(FastOptions()))):
        costs = cost_of_calls(large, options)
        assert costs[UNET] / 1e9 == pytest.approx(180.1, abs=0.1)
        assert costs[CONTROL] / 1e9 == pytest.approx(62.7, abs=0.1)
        assert (costs[ENCODER] + costs[DECODER]) / 1e9 == pytest.approx(894.9, abs=0.1)
        assert costs[TRAINING] / 1e9 == pytest.approx(1866.5, abs=0.1)
        total[options.mode] = sum(arithmetic.work(counted, costs).values())
    assert total["exact"] / 1e3 == pytest.approx(400.4, abs=0.1)
    assert total["exact"] / total["fast"] > 20


def test_counting_computes_nothing_and_leaves_the_weights_alone():
    pipeline = tiny_pipeline()
    before = [p.clone() for p in pipeline.vae.parameters()]
    cost_of_calls(arithmetic.Parts.of(pipeline), FastOptions())
    for parameter, value in zip(pipeline.vae.parameters(), before, strict=True):
        assert torch.equal(parameter, value)
        assert not parameter.requires_grad
