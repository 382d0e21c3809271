"""What is done for a GPU, tried on a CPU: the compiler without code generation, bfloat16."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from adabldm.branches.files import load_branch
from adabldm.branches.swapper import Swapper
from adabldm.core import devices
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.decoder_adaptation import adapt_decoder
from adabldm.sampling.modes import mode_of
from adabldm.sampling.options import FastOptions
from adabldm.sampling.predictor import timestep
from tests.support.branches import base_weights, write_branch
from tests.support.tiny import FEW_STEPS, requests, same, tiny_pipeline

pytestmark = pytest.mark.slow

FAST = FastOptions(steps=6, image_edits=2)


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(backend: Any = "eager") -> AdaBLDMPipeline:
    pipeline = tiny_pipeline()
    devices.compile_networks(pipeline, backend=backend)
    return pipeline


def test_on_a_cpu_channels_go_last_and_nothing_is_compiled():
    pipeline, plain = tiny_pipeline(), tiny_pipeline()
    devices.tune(pipeline)
    assert not any(map(devices.is_compiled, (pipeline.unet, pipeline.vae.decoder)))
    conv = pipeline.unet.down_blocks[0].resnets[0].conv1
    assert conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert not conv.weight.is_contiguous()
    for options in (FEW_STEPS, FAST):
        made, expected = (one(**requests(1), options=options) for one in (pipeline, plain))
        assert abs(made.images[0].astype(int) - expected.images[0]).max() <= 1
    assert devices.half_type(pipeline.device) is None


def test_compiled_networks_make_the_same_pictures_in_both_modes():
    """Through graph capture and the tracing of gradients, as on a GPU, without code generation."""
    plain, pipeline = tiny_pipeline(), compiled("aot_eager")
    for options in (FEW_STEPS, FAST):
        expected, made = (
            one(**requests(3), options=options, compute_batch=2) for one in (plain, pipeline)
        )
        for a, b in zip(expected.images, made.images, strict=True):
            assert abs(a.astype(int) - b.astype(int)).max() <= 1


def test_a_network_is_compiled_for_its_shapes_and_not_for_each_step():
    counter = CompileCounterWithBackend("eager")
    pipeline = compiled(counter)
    pipeline(**requests(2), options=FAST, compute_batch=2)
    seen = counter.frame_count
    assert seen > 0
    pipeline(**requests(1), options=FastOptions(steps=9, image_edits=2), compute_batch=2)
    assert counter.frame_count == seen


def test_the_copy_that_is_trained_is_not_compiled_and_is_itself():
    pipeline = compiled()
    assert devices.is_compiled(pipeline.vae.decoder)
    assert not devices.is_compiled(copy.deepcopy(pipeline.vae.decoder))
    pixels, keep = torch.zeros(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    results = [
        adapt_decoder(
            one.vae,
            torch.zeros(1, 4, 8, 8),
            pixels,
            pixels,
            keep,
            steps=3,
            rate=1e-3,
            background_weight=100.0,
        )
        for one in (pipeline, tiny_pipeline())
    ]
    assert torch.equal(results[0].image, results[1].image)


def test_a_step_is_a_tensor_and_means_the_same_as_its_number():
    pipeline, z = tiny_pipeline(), torch.randn(2, 4, 8, 8)
    context = pipeline.encode_prompts(["", "a crack"])
    with torch.no_grad():
        by_number, by_tensor = (
            pipeline.unet(z, t, context, return_dict=False)[0] for t in (41, timestep(z, 41))
        )
    assert torch.equal(by_number, by_tensor)


def test_branches_are_written_into_compiled_networks_where_they_are(tmp_path: Path):
    plain, pipeline = tiny_pipeline(), compiled()
    for seed in (1, 2):
        write_branch(tmp_path / str(seed), plain, seed)
    branches = [None, *(load_branch(tmp_path / str(seed)) for seed in (1, 2))]
    places = {name: one.data_ptr() for name, one in base_weights(pipeline).items()}
    swappers = Swapper(plain), Swapper(pipeline, hot_bytes=1)
    base = pipeline(**requests(1), options=FAST).images
    for number in (1, 2, 1, 0, 2, 0):
        for swapper in swappers:
            swapper.use(branches[number])
        assert {name: one.data_ptr() for name, one in base_weights(pipeline).items()} == places
        ours, theirs = base_weights(pipeline), base_weights(plain)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert same(pipeline(**requests(1), options=FAST).images, base) == (number == 0)


def in_bfloat16(device: torch.device) -> torch.dtype:
    del device
    return torch.bfloat16


def test_fast_runs_in_half_precision_where_the_device_has_one_and_exact_never(
    monkeypatch: pytest.MonkeyPatch,
):
    pipeline, seen = tiny_pipeline(), set()
    whole = {
        options.mode: pipeline(**requests(1), options=options) for options in (FEW_STEPS, FAST)
    }
    conv = pipeline.unet.conv_in
    conv.register_forward_hook(lambda *call: seen.add(call[2].dtype))
    monkeypatch.setattr(devices, "half_type", in_bfloat16)
    half = pipeline(**requests(1), options=FAST)
    assert seen == {torch.bfloat16}
    seen.clear()
    again = pipeline(**requests(1), options=FEW_STEPS)
    assert seen == {torch.float32}
    assert same(again.images, whole["exact"].images)
    difference = abs(half.images[0].astype(int) - whole["fast"].images[0].astype(int))
    assert difference.max() > 0
    assert difference.mean() < 4


def test_modes_say_in_which_precision_they_are_computed():
    device = torch.device("cpu")
    enabled: Callable[[], bool] = lambda: torch.is_autocast_enabled("cpu")  # noqa: E731
    for options in (FEW_STEPS, FAST):
        with mode_of(options).precision(device):
            assert not enabled()
