from __future__ import annotations

import pytest
import torch

from adabldm.sampling.batch_fitting import (
    MARGIN,
    UnboundedMemory,
    largest_batch,
    memory_of,
)
from adabldm.sampling.modes import mode_of
from adabldm.sampling.options import ExactOptions, FastOptions
from tests.support.tiny import requests, same, tiny_pipeline

pytestmark = pytest.mark.slow


class Device:
    """Memory in which ``each`` request of a batch takes its part of 1."""

    def __init__(self, each: float) -> None:
        self.each, self.taken, self.cleared = each, 0.0, 0
        self.tried: list[int] = []

    def run(self, size: int) -> None:
        self.tried.append(size)
        if size * self.each > 1:
            raise torch.OutOfMemoryError(f"{size} are too many")
        self.taken = max(self.taken, size * self.each)

    def clear(self) -> None:
        self.taken, self.cleared = 0.0, self.cleared + 1

    def peak_share(self) -> float:
        return self.taken


@pytest.mark.parametrize(
    ("each", "limit", "found", "tried"),
    [
        (1 / 100, 32, 32, [1, 2, 4, 8, 16, 32]),
        (1 / 11, 32, 8, [1, 2, 4, 8, 16]),
        (1 / 11, 6, 4, [1, 2, 4]),
        ((1 - MARGIN) / 8, 32, 8, [1, 2, 4, 8, 16]),
        ((1 - MARGIN) / 7.9, 32, 4, [1, 2, 4, 8]),
        (2.0, 32, 1, [1]),
    ],
)
def test_the_largest_batch_that_leaves_the_margin_is_found(each, limit, found, tried):
    device = Device(each)
    assert largest_batch(device.run, limit, device) == found
    assert device.tried == tried
    assert device.cleared == len(tried) + 1


def test_another_error_is_not_taken_for_a_lack_of_room():
    def run(size: int) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        largest_batch(run, 8, UnboundedMemory())


def test_a_machine_without_gpu_has_no_memory_to_ask():
    assert memory_of("cuda").peak_share() == memory_of("cpu").peak_share() == 0


@pytest.mark.parametrize(
    "options",
    [
        ExactOptions(),
        ExactOptions(steps=3, adaptation_steps=0),
        ExactOptions(latent_editing_start=20, image_editing_start=40),
        FastOptions(),
        FastOptions(steps=3, image_edits=2),
    ],
)
def test_a_trial_is_short_and_still_goes_through_every_stage(options):
    trial = mode_of(options).trial(options)
    assert type(trial) is type(options)
    assert trial.steps <= options.steps
    assert trial.adaptation_steps == min(1, options.adaptation_steps)
    pipeline = tiny_pipeline()
    encoded, encode = [], pipeline.vae.encoder.forward
    pipeline.vae.encoder.forward = lambda x: encoded.append(len(x)) or encode(x)
    pipeline(**requests(1), options=options)
    edits = len(encoded) - 1
    encoded.clear()
    pipeline(**requests(1), options=trial)
    assert min(1, edits) <= len(encoded)


def test_half_a_batch_gives_the_same_pixels_within_one_grey_level():
    """The tolerance that is stated for a batch that memory chose."""
    pipeline, options = tiny_pipeline(), FastOptions(steps=6, image_edits=2)
    whole = pipeline(**requests(4), options=options, compute_batch=4).images
    halves = pipeline(**requests(4), options=options, compute_batch=2).images
    for a, b in zip(whole, halves, strict=True):
        assert abs(a.astype(int) - b.astype(int)).max() <= 1
    assert same(whole, pipeline(**requests(4), options=options, compute_batch=4).images)
