"""clDice judges thin defects by their course, not by their width."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.morphology import skeletonize

from adabldm.evaluation.centre_lines import cl_dice


def line(width: int, length: int = 60, column: int = 20) -> np.ndarray:
    mask = np.zeros((80, 64), bool)
    mask[5 : 5 + length, column : column + width] = True
    return mask


def test_a_line_that_is_found_thicker_is_found_and_half_a_line_is_two_thirds() -> None:
    assert cl_dice(line(7, column=18), line(3)) == pytest.approx(1, abs=0.05)
    assert cl_dice(line(3, length=30), line(3)) == pytest.approx(2 / 3, abs=0.03)
    assert cl_dice(line(3, column=40), line(3)) == 0


def test_empty_masks_agree_and_one_alone_does_not() -> None:
    nothing = np.zeros((8, 8), bool)
    assert cl_dice(nothing, nothing) == 1
    assert cl_dice(nothing, ~nothing) == cl_dice(~nothing, nothing) == 0


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_definition_on_the_whole_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, 60, 60)) > 0.6
    first[:20], second[:25] = False, False
    first[:, 55:] = second[:, 57:] = False

    def share(line: np.ndarray, mask: np.ndarray) -> float:
        return float((line & mask).sum() / line.sum())

    exact, whole = share(skeletonize(first), second), share(skeletonize(second), first)
    assert cl_dice(first, second) == pytest.approx(2 * exact * whole / (exact + whole), abs=0.02)
