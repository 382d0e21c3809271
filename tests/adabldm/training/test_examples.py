from __future__ import annotations

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.data import drawn_metal
from adabldm.data.opening import open_dataset
from adabldm.placement import pasting, transform
from adabldm.planning.object_pictures import PairFault
from adabldm.training.examples import PAPER_MIX, WHOLE_MODEL_MIX, ExampleStream, Mix
from jobs.verbs.demo import draw_data_set

SIZE = 64


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    return open_dataset(str(draw_data_set(tmp_path_factory.mktemp("data"))))


def stream(objects, mix: Mix = WHOLE_MODEL_MIX, seed: int = 0) -> ExampleStream:
    return ExampleStream(
        objects, prompts=lambda item, defect: [f"{item}, {defect}"], size=SIZE, mix=mix, seed=seed
    )


def test_an_example_is_a_function_of_seed_and_index_alone(objects):
    one, other = stream(objects), stream(objects)
    backwards = {index: other[index] for index in reversed(range(20))}
    for index in range(20):
        a, b = one[index], backwards[index]
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.trimap, b.trimap)
        assert (a.prompt, a.defect) == (b.prompt, b.defect)
    another = stream(objects, seed=1)
    assert any(not np.array_equal(one[i].image, another[i].image) for i in range(5))


def test_the_paper_has_pasted_pairs_only_and_types_take_turns(objects):
    made = stream(objects, PAPER_MIX)
    examples = [made[index] for index in range(12)]
    assert all((one.trimap == trimap.DEFECT).any() for one in examples)
    kinds = [one.defect for one in examples]
    assert {kinds.count(name) for name in drawn_metal.DEFECTS} == {4}


def test_a_whole_model_sees_good_pictures_too_and_these_have_no_defect(objects):
    made = stream(objects)
    examples = [made[index] for index in range(60)]
    good = [one for one in examples if one.defect is None]
    assert 2 <= len(good) <= 20
    assert not any((one.trimap == trimap.DEFECT).any() for one in good)


def test_a_reshaped_defect_has_the_other_outline_and_its_own_look():
    good = drawn_metal.draw_part(3, 96).image
    hole, hole_mask = good.copy(), np.zeros((96, 96), np.uint8)
    hole_mask[40:50, 30:52] = 255
    hole[hole_mask > 0] = 5
    bar = np.zeros((96, 96), np.uint8)
    bar[10:14, 20:60] = 255
    everywhere = np.ones((96, 96), np.uint8)
    rng = np.random.default_rng(0)
    image, mask = pasting.paste_reshaped(rng, good, hole, hole_mask, bar, everywhere)
    inside = mask > 0
    assert not (image != good).any(axis=2)[~inside].any()
    assert image[inside].mean() < good[inside].mean() - 40
    assert 0.6 < inside.sum() / (bar > 0).sum() < 1.6


def test_a_defect_that_would_fill_little_of_the_outline_is_refused():
    good = drawn_metal.draw_part(3, 96).image
    corner, block = np.zeros((96, 96), np.uint8), np.zeros((96, 96), np.uint8)
    np.fill_diagonal(corner, 255)
    block[20:60, 20:60] = 255
    everywhere = np.ones((96, 96), np.uint8)
    rng = np.random.default_rng(0)
    with pytest.raises(transform.PlacementFault, match="too little"):
        pasting.paste_reshaped(rng, good, good, corner, block, everywhere)


def test_an_object_without_defects_is_refused(objects):
    from dataclasses import replace

    with pytest.raises(PairFault, match="no defect to learn from"):
        stream([replace(objects[0], defects=())])


def test_shares_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="must sum to 1"):
        Mix(pasted=0.5)
