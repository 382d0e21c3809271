from __future__ import annotations

import numpy as np
import pytest

from adabldm.judging.regions import CELL, TILE, regions_of, tiles_of


@pytest.mark.parametrize("seed", range(5))
def test_regions_hold_all_defects_with_their_surroundings_and_none_meet(seed):
    rng = np.random.default_rng(seed)
    asked = np.zeros((500, 700), bool)
    for _ in range(8):
        top, left = rng.integers(0, 500), rng.integers(0, 700)
        asked[top : top + rng.integers(1, 60), left : left + rng.integers(1, 60)] = True
    counted = np.zeros(asked.shape, int)
    for box in regions_of(asked):
        counted[box] += 1
        framed = asked[box].copy()
        rows, cols = box
        top = 0 if rows.start == 0 else CELL
        left = 0 if cols.start == 0 else CELL
        bottom = framed.shape[0] - (0 if rows.stop == 500 else CELL)
        right = framed.shape[1] - (0 if cols.stop == 700 else CELL)
        framed[top:bottom, left:right] = False
        assert not framed.any()
    assert counted.max() == 1
    assert counted[asked].min() == 1


@pytest.mark.parametrize("place", [(0, 0), (499, 699), (0, 350)])
def test_a_pixel_at_the_border_has_a_region_that_is_small(place):
    asked = np.zeros((500, 700), bool)
    asked[place] = True
    (box,) = regions_of(asked)
    assert asked[box].size <= (3 * CELL) ** 2


def test_an_asked_mask_of_the_whole_picture_is_one_region():
    assert regions_of(np.ones((90, 130), bool)) == [(slice(0, 90), slice(0, 130))]


def test_tiles_cover_a_box_once():
    height, width = TILE + 300, 2 * TILE
    numbers = np.arange(height * width).reshape(height, width)
    covered = np.full((height, width), -1)
    for around, inner, place in tiles_of(height, width):
        assert (covered[place] == -1).all()
        covered[place] = numbers[around][inner]
    assert np.array_equal(covered, numbers)
