"""Invented masks: in the size of the real ones, with an outline of their own."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk, line

from adabldm.placement import invented_masks


def blob() -> np.ndarray:
    mask = np.zeros((120, 160), np.uint8)
    mask[disk((60, 70), 17)] = 255
    return mask


def scratch() -> np.ndarray:
    mask = np.zeros((120, 160), np.uint8)
    mask[line(20, 20, 90, 120)] = 255
    mask[1:] |= mask[:-1]
    return mask


@pytest.mark.parametrize("real", [blob(), scratch()], ids=["blob", "scratch"])
def test_a_mask_from_noise_has_about_the_real_ones_area(real: np.ndarray) -> None:
    seen = set()
    for seed in range(12):
        drawn = invented_masks.noise_mask(np.random.default_rng(seed), real)
        assert drawn.shape == real.shape
        assert set(np.unique(drawn)) == {0, 255}
        assert 0.4 < (drawn > 0).sum() / (real > 0).sum() < 2
        seen.add(drawn.tobytes())
    assert len(seen) == 12


def test_noise_after_a_line_is_a_line() -> None:
    drawn = invented_masks.noise_mask(np.random.default_rng(1), scratch())
    assert (
        invented_masks.Extent.of(drawn).half_width < 6 < invented_masks.Extent.of(blob()).half_width
    )


def test_a_mask_between_two_has_an_area_between_theirs() -> None:
    areas = sorted((mask > 0).sum() for mask in (blob(), scratch()))
    for seed in range(6):
        drawn = invented_masks.morphed_mask(np.random.default_rng(seed), blob(), scratch())
        assert drawn.shape == (120, 160)
        assert areas[0] * 0.8 < (drawn > 0).sum() < areas[1] * 1.1


@pytest.mark.parametrize("side", [1, 2])
def test_the_smallest_masks_can_be_models(side: int) -> None:
    real = np.zeros((30, 30), np.uint8)
    real[4 : 4 + side, 7 : 7 + side] = 255
    rng = np.random.default_rng(0)
    assert invented_masks.noise_mask(rng, real).any()
    assert invented_masks.morphed_mask(rng, real, real[::-1]).any()


def test_the_same_numbers_draw_the_same_mask() -> None:
    first, second = (invented_masks.noise_mask(np.random.default_rng(4), blob()) for _ in range(2))
    assert np.array_equal(first, second)
