from __future__ import annotations

import numpy as np
import pytest

from adabldm.judging.overlap import cl_dice, line_counts, skeleton_of_thin

SHAPE = (80, 120)


def bar(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("width", [1, 2, 4, 7])
def test_a_line_up_to_a_latent_cell_wide_is_thin(width):
    assert skeleton_of_thin(bar(30, 30 + width, 10, 110)).sum() > 80


@pytest.mark.parametrize("mask", [bar(20, 40, 10, 110), bar(30, 35, 30, 35), bar(0, 0, 0, 0)])
def test_a_broad_defect_and_a_speck_are_not_thin(mask):
    assert not skeleton_of_thin(mask).any()


def test_dashes_have_the_cl_dice_of_the_share_of_the_line_that_they_cover():
    asked = bar(30, 34, 10, 110)
    dashes = asked.copy()
    dashes[:, 35:60] = dashes[:, 85:] = False
    skeleton = skeleton_of_thin(asked)
    whole = cl_dice(line_counts(asked, asked, skeleton))
    half = cl_dice(line_counts(dashes, asked, skeleton))
    assert whole == 1
    assert half == pytest.approx(2 * 0.5 / 1.5, abs=0.05)
    assert cl_dice(line_counts(bar(0, 0, 0, 0), asked, skeleton)) == 0


def test_a_line_beside_the_asked_one_agrees_with_nothing():
    asked = bar(30, 34, 10, 110)
    assert cl_dice(line_counts(bar(50, 54, 10, 110), asked, skeleton_of_thin(asked))) == 0
