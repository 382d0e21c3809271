"""The distance tells a drawn defect from what is none, in the unit of the real ones' own."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.judging import likeness
from adabldm.judging.likeness import RealDefects, crop, descriptor

SIDE = 64


def sight(image: np.ndarray) -> np.ndarray:
    """Every second pixel, and how it differs from the next."""
    grey = image[::2, ::2].astype(np.float32) / 10
    return np.concatenate([grey, grey - np.roll(grey, 1, axis=1)], axis=2)


def defect(seed: int, depth: float = 60, rough: float = 6) -> tuple[np.ndarray, np.ndarray]:
    """A dark pit in grainy ground, cut out."""
    rng = np.random.default_rng(seed)
    picture = rng.normal(140, 5, (SIDE, SIDE, 3))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    top, left = rng.integers(20, 34, 2)
    mask[top : top + 10, left : left + 12] = 255
    picture[mask > 0] += rng.normal(-depth - 3 * rng.random(), rough, (120, 3))
    return crop(np.uint8(np.clip(picture, 0, 255)), mask)


@pytest.fixture
def real() -> RealDefects:
    return RealDefects.of([defect(seed) for seed in range(8)], sight)


def test_a_further_real_defect_is_about_as_far_as_they_are_from_each_other(
    real: RealDefects,
) -> None:
    assert 0.5 < np.median([real.distance(*defect(seed)) for seed in range(50, 70)]) < 1.6


def test_the_median_real_one_is_1_from_the_others() -> None:
    some = [defect(seed) for seed in range(3)]
    whole = RealDefects.of(some, sight)
    apart = [
        likeness._distance(whole.descriptors[k], np.delete(whole.descriptors, k, axis=0))
        for k in range(3)
    ]
    assert whole._unit == pytest.approx(np.median(apart))


@pytest.mark.parametrize(("depth", "rough"), [(0, 0), (-60, 6), (130, 0), (15, 2)])
def test_what_is_no_such_defect_is_farther(real: RealDefects, depth: float, rough: float) -> None:
    ordinary = np.quantile([real.distance(*defect(seed)) for seed in range(50, 70)], 0.9)
    assert real.distance(*defect(99, depth, rough)) > 1.3 * ordinary


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_real_ones_give_a_distance_too(count: int) -> None:
    some = RealDefects.of([defect(seed) for seed in range(count)], sight)
    assert 0 < some.distance(*defect(50)) < some.distance(*defect(50, -60))


def test_pictures_of_one_specimen_do_not_vouch_for_each_other() -> None:
    twins = [defect(seed // 4) for seed in range(8)]
    alone = RealDefects.of(twins, sight)
    told = RealDefects.of(twins, sight, groups=[str(seed // 4) for seed in range(8)])
    assert told.distance(*defect(50)) < 0.9 * alone.distance(*defect(50))


def test_without_a_real_one_or_a_mask_it_is_said() -> None:
    with pytest.raises(ValueError, match="at least one real defect"):
        RealDefects.of([], sight)
    with pytest.raises(ValueError, match="must mark the defect"):
        descriptor(sight(np.zeros((9, 9, 3), np.uint8)), np.zeros((9, 9)))


@pytest.mark.parametrize("shape", [(40, 300), (48, 48), (7, 5)])
def test_a_crop_holds_the_whole_defect_and_stays_in_the_picture(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[0, 0] = mask[shape[0] // 2, shape[1] - 1] = 255
    image = np.arange(mask.size * 3, dtype=np.uint8).reshape(*shape, 3)
    cut, inside = crop(image, mask)
    assert cut.shape[:2] == inside.shape
    assert np.count_nonzero(inside) == 2
    assert np.isfinite(descriptor(sight(cut), inside)).all()


def test_a_defect_thinner_than_what_is_seen_and_one_that_fills_its_crop_are_described() -> None:
    image = np.random.default_rng(0).integers(0, 255, (600, 600, 3), np.uint8)
    thin = np.zeros((600, 600), np.uint8)
    thin[300] = 255
    seen = sight(image)[:8, :8]
    assert np.isfinite(descriptor(seen, thin)).all()
    assert np.isfinite(descriptor(seen, np.ones((600, 600)))).all()
