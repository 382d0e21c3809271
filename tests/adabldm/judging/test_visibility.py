"""A change is seen against the good picture's own noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter

from adabldm.judging.refined import refine
from adabldm.judging.visibility import SCALES, beside_the_strongest, thresholds, visibility

SIDE = 128


def ground(noise: float, *, size: float = 0, seed: int = 0) -> np.ndarray:
    """Grey of 120 with normal noise of so many levels, in grains of ``size`` pixels."""
    grain = np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    if size:
        grain = gaussian_filter(grain, size)
        grain /= grain.std()
    return np.clip(120 + noise * grain, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)


def disc(radius: int = 20) -> np.ndarray:
    rows, cols = np.indices((SIDE, SIDE)) - SIDE // 2
    return rows**2 + cols**2 < radius**2


def darker(source: np.ndarray, asked: np.ndarray, levels: int) -> np.ndarray:
    image = source.copy()
    image[asked] = np.clip(image[asked].astype(int) - levels, 0, 255)
    return image


def share(image: np.ndarray, source: np.ndarray, asked: np.ndarray) -> float:
    return float((visibility(image, source, asked, thresholds(source)) >= 1)[asked].mean())


def test_a_few_levels_show_on_a_smooth_sheet_and_not_on_gravel():
    smooth, gravel = ground(1), ground(25, size=2)
    asked = disc()
    assert share(darker(smooth, asked, 6), smooth, asked) == 1
    assert share(darker(gravel, asked, 6), gravel, asked) == 0
    assert share(darker(gravel, asked, 80), gravel, asked) > 0.95


def test_an_equal_picture_shows_nothing_and_one_level_of_rounding_neither():
    source, asked = ground(1), disc()
    assert visibility(source, source, asked, thresholds(source)).max() == 0
    assert share(darker(source, asked, 1), source, asked) == 0


def test_new_grain_of_the_same_kind_is_no_defect():
    source, asked = ground(6), disc()
    redrawn = np.where(asked[..., None], ground(6, seed=1), source)
    seen = visibility(redrawn, source, asked, thresholds(source)) >= 1
    assert seen[asked].mean() < 0.2
    assert refine(seen, asked, asked).sum() < 0.02 * asked.sum()


def test_an_edge_of_the_object_does_not_hide_a_defect_beside_it():
    source = ground(1)
    source[:, SIDE // 2 + 22 :] = 20
    asked = disc()
    assert share(darker(source, asked, 10), source, asked) > 0.95


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_thin_line_is_not_thinned_out_by_its_untouched_surroundings(width):
    source = ground(1)
    asked = np.zeros((SIDE, SIDE), bool)
    asked[60 : 60 + width, 20:100] = True
    assert share(darker(source, asked, 10), source, asked) == 1


def test_a_strong_change_does_not_count_for_what_is_untouched_beside_it():
    source, asked = ground(1), disc()
    third = asked.copy()
    third[:, SIDE // 2 - 8 :] = False
    seen = visibility(darker(source, third, 100), source, asked, thresholds(source)) >= 1
    assert seen[third].all()
    assert not (seen & ~binary_dilation(third, iterations=3)).any()


def test_a_faint_trace_between_dark_spots_shows_by_itself_and_not_beside_them():
    source, asked = ground(1), disc()
    spot = asked.copy()
    spot[:, SIDE // 2 - 8 :] = False
    faint = darker(source, asked, 8)
    both = darker(faint, spot, 90)
    assert beside_the_strongest(source, source, asked) == 0
    least = beside_the_strongest(both, source, asked)
    shows = thresholds(source)
    seen = visibility(both, source, asked, shows, least) >= 1
    assert (visibility(faint, source, asked, shows) >= 1)[asked].all()
    assert seen[spot].all()
    assert not (seen & ~binary_dilation(spot, iterations=2 * round(max(SCALES)))).any()


def test_a_stain_shows_in_a_colour_alone():
    source, asked = ground(1), disc()
    image = source.copy()
    image[asked] += np.array([15, 0, 0], np.uint8)
    assert share(image, source, asked) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (7, 300), (17, 15)])
def test_a_picture_of_any_size_has_its_thresholds(shape):
    source = np.full((*shape, 3), 90, np.uint8)
    found = thresholds(source)
    assert found.shape == (3, *shape)
    assert (found > 0).all()
