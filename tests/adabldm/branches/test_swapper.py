from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adabldm.branches.card import BranchFault
from adabldm.branches.files import Branch, load_branch
from adabldm.branches.swapper import Swapper
from adabldm.core import devices
from adabldm.core.devices import ALIGNMENT
from adabldm.pipeline import AdaBLDMPipeline
from tests.support.branches import base_weights, write_branch
from tests.support.tiny import FEW_STEPS, requests, same, tiny_pipeline


@pytest.fixture
def pipeline() -> AdaBLDMPipeline:
    return tiny_pipeline()


@pytest.fixture
def branches(pipeline: AdaBLDMPipeline, tmp_path: Path) -> list[Branch]:
    """Two with full weights and one of low rank."""
    for seed, rank in enumerate((None, None, 4)):
        write_branch(tmp_path / str(seed), pipeline, seed, rank=rank)
    return [load_branch(tmp_path / str(seed)) for seed in range(3)]


def images(pipeline: AdaBLDMPipeline) -> list:
    return pipeline(**requests(1), options=FEW_STEPS).images


def test_the_base_comes_back_bit_by_bit(pipeline, branches):
    before = images(pipeline)
    weights = {name: weight.clone() for name, weight in base_weights(pipeline).items()}
    swapper = Swapper(pipeline)
    for branch in branches:
        swapper.use(branch)
        assert pipeline.reads_every_word
        assert not same(images(pipeline), before)
        swapper.use(None)
        assert not pipeline.reads_every_word
        assert same(images(pipeline), before)
    after = base_weights(pipeline)
    assert all(torch.equal(after[name], weight) for name, weight in weights.items())


def test_a_branch_makes_the_same_whatever_was_in_place_before(pipeline, branches):
    alone = []
    for branch in branches:
        fresh = tiny_pipeline()
        Swapper(fresh).use(branch)
        alone.append(images(fresh))
    assert not same(alone[0], alone[1])
    swapper = Swapper(pipeline, hot_bytes=1)
    for number in (2, 0, 1, 0, 2):
        swapper.use(branches[number])
        assert same(images(pipeline), alone[number])


def test_branches_come_in_the_memory_format_of_the_base(pipeline, branches):
    devices.tune(pipeline)
    conv, swapper = pipeline.controlnet.down_blocks[0].resnets[0].conv1, Swapper(pipeline)
    for branch in branches:
        swapper.use(branch)
        assert conv.weight.is_contiguous(memory_format=torch.channels_last)
        fresh = tiny_pipeline()
        Swapper(fresh).use(branch)
        for a, b in zip(images(pipeline), images(fresh), strict=True):
            assert abs(a.astype(int) - b).max() <= 1


def test_nothing_is_left_of_a_branch_that_changes_more(pipeline, branches):
    few = Branch(branches[1].card, dict(list(branches[1].parts.items())[:3]))
    fresh = tiny_pipeline()
    Swapper(fresh).use(few)
    swapper = Swapper(pipeline)
    swapper.use(branches[0])
    swapper.use(few)
    assert same(images(pipeline), images(fresh))


def test_the_hot_branches_stay_within_their_bytes(pipeline, branches):
    one = sum(weight.nbytes for weight in base_weights(pipeline).values())
    swapper = Swapper(pipeline, hot_bytes=2 * one)
    prints = [branch.card.fingerprint for branch in branches]
    for number, hot in ((0, [0]), (1, [0, 1]), (0, [1, 0]), (2, [0, 2]), (1, [2, 1])):
        swapper.use(branches[number])
        assert swapper.hot == [prints[i] for i in hot]
        assert swapper.nbytes <= 2 * one
    small = Swapper(pipeline, hot_bytes=1)
    for number in (0, 1):
        small.use(branches[number])
        assert small.hot == [prints[number]]


def test_a_hot_branch_comes_back_without_a_copy(pipeline, branches):
    swapper = Swapper(pipeline)
    assert not swapper.use_hot(branches[0].card.fingerprint)
    swapper.use(branches[0])
    first = {name: weight.data_ptr() for name, weight in base_weights(pipeline).items()}
    swapper.use(branches[1])
    assert swapper.use_hot(branches[0].card.fingerprint)
    assert {n: weight.data_ptr() for n, weight in base_weights(pipeline).items()} == first


def test_bits_do_not_depend_on_where_the_files_reader_puts_weights(pipeline, branches):
    pipeline.to(torch.float16)
    spaced = {}
    for name, part in branches[0].parts.items():
        room = torch.empty(part.numel() + 1, dtype=part.dtype)
        spaced[name] = room[1:].view(part.shape).copy_(part)
    Swapper(pipeline).use(Branch(branches[0].card, spaced))
    assert all(not weight.data_ptr() % ALIGNMENT for weight in base_weights(pipeline).values())


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"unet.none": torch.zeros(2)}, "weights: 'unet.none': is no weight of the base's"),
        ({"unet.conv_in.bias": torch.zeros(3)}, "unet.conv_in.bias: (3,): must be of the base's"),
    ],
)
def test_a_branch_that_does_not_fit_is_refused_and_the_base_stays(parts, told, pipeline, branches):
    before = images(pipeline)
    swapper = Swapper(pipeline)
    swapper.use(branches[0])
    with pytest.raises(BranchFault) as refused:
        swapper.use(Branch(branches[1].card, {**branches[1].parts, **parts}))
    assert str(refused.value).startswith(told)
    assert same(images(pipeline), before)
    assert swapper.hot == [branches[0].card.fingerprint]


def test_a_branch_of_another_size_is_refused(pipeline, tmp_path):
    write_branch(tmp_path, pipeline, 1, image_size=512)
    with pytest.raises(BranchFault, match="image_size: 512: the base's is 64"):
        Swapper(pipeline).use(load_branch(tmp_path))


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"unet.conv_in.weight": torch.zeros(1)}, "must end in"),
        ({"unet.conv_in.weight.up": torch.zeros(32, 1)}, "must have .diff, or both .up and .down"),
        (
            {
                "unet.conv_in.weight.up": torch.zeros(32, 2),
                "unet.conv_in.weight.down": torch.zeros(2, 9),
            },
            "its factors must make up",
        ),
    ],
)
def test_factors_that_make_no_weight_are_refused(parts, told, pipeline, branches):
    with pytest.raises(BranchFault, match=told):
        Swapper(pipeline).use(Branch(branches[2].card, parts))
