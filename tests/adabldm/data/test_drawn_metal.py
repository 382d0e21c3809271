"""Drawn surfaces: a function of the seed, with the defect where the mask says."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.data import drawn_metal


@pytest.mark.parametrize("defect", drawn_metal.DEFECTS)
def test_a_defect_is_inside_its_mask_and_visible(defect: str) -> None:
    for seed in range(40):
        flawed = drawn_metal.draw_part(seed, 128, defect)
        clean = drawn_metal.draw_part(seed, 128)
        change = np.abs(flawed.image.astype(int) - clean.image).max(axis=2)
        inside = flawed.mask > 0
        assert set(np.unique(flawed.mask)) <= {0, 255}
        assert inside.any(), f"seed {seed} drew no {defect}"
        assert change[inside].mean() > 20
        assert change[~inside].mean() < 1


def test_the_same_seed_draws_the_same_part_and_another_seed_another() -> None:
    first, again, other = (drawn_metal.draw_part(seed, 96, "crack") for seed in (5, 5, 6))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.image, other.image)


def test_a_good_part_has_an_empty_mask() -> None:
    part = drawn_metal.draw_part(3, 64)
    assert part.image.shape == (64, 64, 3)
    assert part.image.dtype == np.uint8
    assert not part.mask.any()


def test_an_unknown_defect_is_named() -> None:
    with pytest.raises(ValueError, match="'dent' is not one of crack, blowhole, scratch"):
        drawn_metal.draw_part(0, 64, "dent")


def test_a_defect_may_be_small_on_a_large_part_and_lies_anywhere():
    parts = [drawn_metal.draw_part(seed, 256, "crack", extent=64) for seed in range(12)]
    boxes = [np.argwhere(part.mask) for part in parts]
    assert all(0 < np.ptp(box, axis=0).max() < 64 for box in boxes)
    assert len({tuple(box.min(axis=0) // 64) for box in boxes}) > 4


def test_a_defect_larger_than_its_part_is_refused():
    with pytest.raises(ValueError, match=r"extent: 65: must be in 1\.\.64"):
        drawn_metal.draw_part(0, 64, "crack", extent=65)
