"""Baselines lie where a pair's defect does, mark what they changed, and change nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.evaluation.baselines import cut_paste, perlin, poisson
from adabldm.evaluation.baselines.cut_paste import Donor
from adabldm.placement import transform

RNG = np.random.default_rng(0)
GOOD = np.repeat(RNG.integers(80, 120, (90, 120, 1), np.uint8), 3, axis=2)
OTHER = RNG.integers(80, 120, (70, 150, 3), np.uint8)


def shape(kind: str) -> np.ndarray:
    """A real defect's mask, bool (90, 120)."""
    mask = np.zeros((90, 120), bool)
    if kind == "bar":
        mask[30:36, 20:60] = True
        mask[30:42, 20:26] = True
    else:
        rows, cols = np.ogrid[:90, :120]
        mask[(rows - 40) ** 2 / 200 + (cols - 50) ** 2 / 90 < 1] = True
    return mask


def placed(kind: str, angle: float, scale: float = 1.1) -> np.ndarray:
    where = transform.Placement(angle=angle, scale=scale, top=15, left=40)
    return transform.render(shape(kind).astype(np.uint8) * 255, where, 90, 120) > 0


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("angle", [0, 37, 90, 145, 200, 310])
@pytest.mark.parametrize("kind", ["bar", "spot"])
def test_the_real_defect_that_a_pair_was_asked_for_with_is_found_again(
    kind: str, angle: float
) -> None:
    asked = placed(kind, angle)
    donors = [Donor(OTHER[:, :120], shape(name)[:70]) for name in ("spot", "bar")]
    spoiled, mask = cut_paste.spoil(GOOD, donors, asked)
    assert iou(mask, asked) > 0.85
    assert np.array_equal(spoiled[~mask], GOOD[~mask])


def test_a_defect_at_the_border_stays_in_the_picture() -> None:
    asked = np.zeros((90, 120), bool)
    asked[:3, 100:] = True
    _, mask = cut_paste.spoil(GOOD, [Donor(GOOD, shape("spot"))], asked)
    assert mask.any()


def test_a_defect_that_is_longer_than_the_picture_is_made_smaller() -> None:
    asked = np.ones((20, 20), bool)
    long = np.zeros((90, 120), bool)
    long[40:43, 2:118] = True
    small = np.ascontiguousarray(GOOD[:20, :20])
    _, mask = cut_paste.spoil(small, [Donor(GOOD, long)], asked)
    assert mask.any()


@pytest.mark.parametrize("seed", range(6))
def test_perlin_shapes_have_the_place_and_the_area_of_what_was_asked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked, inside = placed("bar", 50), np.ones((90, 120), bool)
    found = perlin.shape_at(rng, asked, inside)
    assert found.sum() == asked.sum()
    outside = np.ones(asked.shape, bool)
    outside[transform.bounding_box(asked)] = False
    assert not (found & outside).any()
    spoiled = perlin.blend(rng, GOOD, perlin.augmented(rng, GOOD), found)
    assert np.array_equal(spoiled[~found], GOOD[~found])
    assert (spoiled == spoiled[..., :1]).all()  # grey stays grey


def test_perlin_shapes_stay_on_the_object() -> None:
    asked, inside = placed("spot", 0), np.zeros((90, 120), bool)
    inside[:, :60] = True
    found = perlin.shape_at(np.random.default_rng(0), asked, inside)
    assert found.any()
    assert not (found & ~inside).any()


def test_the_membrane_carries_a_plane_exactly_and_holds_its_rim() -> None:
    rows, cols = np.mgrid[:40, :50].astype(np.float64)
    plane = np.stack([rows, 2 * cols, rows - cols], axis=2)
    inside = np.zeros((40, 50), bool)
    inside[5:30, 8:40] = True
    inside[12:18, 15:22] = False
    spoiled = plane.copy()
    spoiled[inside] = 1e3
    assert np.allclose(poisson.membrane(spoiled, inside), plane, atol=1e-4)


def test_a_large_membrane_is_close_to_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, cols = np.mgrid[:60, :70].astype(np.float64)
    waves = (np.sin(rows / 9) * np.cos(cols / 11))[..., None] * 20
    inside = np.zeros((60, 70), bool)
    inside[10:50, 10:60] = True
    exact = poisson.membrane(waves, inside)
    monkeypatch.setattr(poisson, "MOST_UNKNOWNS", 600)
    assert np.abs(poisson.membrane(waves, inside) - exact).max() < 3


@pytest.mark.parametrize("seed", range(4))
def test_poisson_patches_have_no_seam_and_mark_what_shows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked = placed("spot", 20)
    spoiled, mask = poisson.spoil(rng, GOOD, OTHER, asked)
    assert np.array_equal(spoiled[~asked], GOOD[~asked])
    assert mask.any()
    assert not (mask & ~asked).any()
    bright = np.clip(GOOD.astype(np.int16) + 90, 0, 255).astype(np.uint8)
    on_bright, _ = poisson.spoil(np.random.default_rng(seed), bright, OTHER, asked)
    assert (
        abs(on_bright[asked].mean() - bright[~asked].mean()) < 25
    )  # the patch takes its ground's tone
