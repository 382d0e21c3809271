"""A defect is drawn at its picture's own scale, and nothing but the defect changes."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.placement import windows

SIZE = 128


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def marks(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A trimap with defects (top, left, height, width)."""
    defect = np.zeros((height, width), np.uint8)
    for top, left, tall, wide in boxes:
        defect[top : top + tall, left : left + wide] = 255
    return trimap.compose(defect)


PICTURES = {
    "one small": marks(600, 800, (200, 300, 9, 30)),
    "in the corner": marks(600, 800, (0, 0, 5, 5)),
    "at the far border": marks(600, 800, (590, 700, 10, 100)),
    "several far apart": marks(900, 1200, (10, 10, 20, 20), (400, 600, 5, 60), (880, 1190, 20, 10)),
    "several near": marks(600, 800, (200, 300, 9, 30), (230, 320, 20, 9), (260, 310, 4, 4)),
    "windows that overlap": marks(600, 800, (200, 300, 60, 60), (200, 400, 60, 60)),
    "smaller than a window": marks(60, 90, (20, 30, 9, 30)),
    "larger than a window": marks(900, 1200, (100, 200, 300, 500)),
    "all of the picture but a rim": marks(300, 400, (2, 2, 296, 396)),
    "a strip, a small defect": marks(100, 1600, (40, 800, 6, 20)),
    "a strip, a long defect": marks(100, 1600, (40, 200, 6, 1300)),
    "a tall strip": marks(1600, 64, (300, 20, 300, 4)),
    "a pixel": marks(500, 500, (250, 250, 1, 1)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_defect_is_in_one_window_that_holds_it_whole(name: str) -> None:
    trimaps = PICTURES[name]
    defects = windows.defects_of(trimaps)
    found = windows.windows_of(defects, SIZE)
    parts = [part for window in found for part in window.parts]
    assert sorted(parts) == list(range(1, defects.max() + 1))
    for window in found:
        rows, cols = window.inside(*trimaps.shape)
        whole = np.isin(defects, window.parts)
        assert whole.sum() == whole[rows, cols].sum()
        assert window.side >= SIZE
        seen = windows.cut_trimap(trimaps, defects, window)
        assert seen.shape == (SIZE, SIZE)
        trimap.check(seen)


@pytest.mark.parametrize("name", PICTURES)
def test_outside_the_defect_no_pixel_changes_and_inside_every_defect_does(name: str) -> None:
    trimaps = PICTURES[name]
    source = picture(*trimaps.shape)
    defects = windows.defects_of(trimaps)
    made = source.copy()
    for window in windows.windows_of(defects, SIZE):
        seen = windows.cut_picture(source, window)
        assert seen.shape == (SIZE, SIZE, 3)
        drawn = np.where(seen > 127, seen - 90, seen + 90).astype(np.uint8)
        windows.put_back(made, source, drawn, defects, window)
    inside = trimaps == trimap.DEFECT
    assert np.array_equal(made[~inside], source[~inside])
    for part in range(1, defects.max() + 1):
        assert not np.array_equal(made[defects == part], source[defects == part])


def test_what_is_drawn_unchanged_leaves_the_picture_as_it_was() -> None:
    for name, trimaps in PICTURES.items():
        source = picture(*trimaps.shape)
        defects = windows.defects_of(trimaps)
        made = source.copy()
        for window in windows.windows_of(defects, SIZE):
            windows.put_back(made, source, windows.cut_picture(source, window), defects, window)
        assert np.array_equal(made, source), name


def test_a_window_at_the_pictures_scale_gives_the_drawn_pixels_where_no_seam_is_to_mend() -> None:
    trimaps = PICTURES["one small"]
    source = picture(*trimaps.shape)
    defects = windows.defects_of(trimaps)
    (window,) = windows.windows_of(defects, SIZE)
    seen = windows.cut_picture(source, window)
    own = windows.cut_trimap(trimaps, defects, window) == trimap.DEFECT
    drawn = np.where(own[..., None], 255 - seen, seen).astype(np.uint8)
    made = source.copy()
    windows.put_back(made, source, drawn, defects, window)
    inside = trimaps == trimap.DEFECT
    assert np.array_equal(made[inside], 255 - source[inside])


def test_a_tone_that_the_model_gave_its_whole_window_does_not_show_as_a_seam() -> None:
    trimaps = PICTURES["one small"]
    source = np.full((*trimaps.shape, 3), 120, np.uint8)
    defects = windows.defects_of(trimaps)
    (window,) = windows.windows_of(defects, SIZE)
    drawn = np.full((SIZE, SIZE, 3), 131, np.uint8)
    made = source.copy()
    windows.put_back(made, source, drawn, defects, window)
    assert np.abs(made.astype(int) - 120).max() <= 1


def test_a_small_defect_is_not_shrunk_and_a_large_one_is() -> None:
    small, large = PICTURES["one small"], PICTURES["larger than a window"]
    (one,) = windows.windows_of(windows.defects_of(small), SIZE)
    (other,) = windows.windows_of(windows.defects_of(large), SIZE)
    assert (one.side, one.is_shrunk) == (SIZE, False)
    assert (other.side, other.is_shrunk) == (900, True)


def test_a_shrunk_drawing_keeps_the_grain_of_its_start() -> None:
    trimaps = PICTURES["larger than a window"]
    source, defects = picture(*trimaps.shape), windows.defects_of(trimaps)
    inside = trimaps == trimap.DEFECT
    start = np.where(inside[..., None], picture(*trimaps.shape, seed=1), source)
    (window,) = windows.windows_of(defects, SIZE)
    made = source.copy()
    seen = windows.cut_picture(start, window)
    windows.put_back(made, source, seen, defects, window, start)
    assert np.array_equal(made, start)


def test_the_shadow_of_a_defect_in_the_mirrored_rim_is_no_defect() -> None:
    trimaps = PICTURES["smaller than a window"]
    defects = windows.defects_of(trimaps)
    (window,) = windows.windows_of(defects, SIZE)
    seen = windows.cut_trimap(trimaps, defects, window)
    assert (seen == trimap.DEFECT).sum() == (trimaps == trimap.DEFECT).sum()


def test_another_windows_defect_is_not_drawn_twice() -> None:
    trimaps = PICTURES["windows that overlap"]
    defects = windows.defects_of(trimaps)
    found = windows.windows_of(defects, SIZE)
    assert len(found) == 2
    assert all(
        (windows.cut_trimap(trimaps, defects, window) == trimap.DEFECT).sum() == 3600
        for window in found
    )


def test_a_very_large_picture_costs_its_windows_only() -> None:
    trimaps = marks(6000, 8000, (3000, 4000, 40, 60), (10, 7900, 30, 30))
    source = np.zeros((6000, 8000, 3), np.uint8)
    defects = windows.defects_of(trimaps)
    found = windows.windows_of(defects, 512)
    assert [window.side for window in found] == [512, 512]
    assert windows.cut_picture(source, found[0]).shape == (512, 512, 3)


def test_a_requests_windows_have_seeds_of_their_own_and_the_first_is_the_requests() -> None:
    seeds = list(windows.derived_seeds(7, 3))
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    assert list(windows.derived_seeds(7, 2)) == seeds[:2]
