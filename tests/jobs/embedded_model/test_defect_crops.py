from __future__ import annotations

import numpy as np
import pytest

from adabldm.placement import transform
from jobs.embedded_model.defect_crops import SIDE, Sample, crop, crop_features, window
from tests.support.measured import mean_colours


def mask_of(rows: slice, cols: slice, side: int = 128) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    mask[rows, cols] = 255
    return mask


def sample(image: np.ndarray, mask: np.ndarray) -> Sample:
    return Sample(image=image, mask=mask, defect="spot", source="1", group="1")


@pytest.mark.parametrize(
    ("rows", "cols", "side"),
    [
        (slice(60, 64), slice(60, 70), 48),
        (slice(0, 3), slice(125, 128), 48),
        (slice(20, 60), slice(50, 54), 80),
        (slice(0, 128), slice(3, 5), 128),
    ],
)
def test_a_window_is_a_square_inside_the_picture_that_holds_the_whole_defect(rows, cols, side):
    mask = mask_of(rows, cols)
    found = window(mask)
    assert [part.stop - part.start for part in found] == [side, side]
    assert all(0 <= part.start <= part.stop <= 128 for part in found)
    assert np.count_nonzero(mask[found]) == np.count_nonzero(mask)


def test_a_defect_off_the_border_is_in_the_middle():
    box = transform.bounding_box(mask_of(slice(50, 54), slice(70, 80)))
    for part, whole in zip(window(mask_of(*box)), box, strict=True):
        assert part.start + part.stop == whole.start + whole.stop


def test_a_line_of_one_pixel_is_in_the_crop_of_a_large_picture():
    mask = mask_of(slice(100, 900), slice(500, 501), side=1024)
    image, small = crop(sample(np.zeros((1024, 1024, 3), np.uint8), mask))
    assert image.shape == (SIDE, SIDE, 3)
    assert np.flatnonzero(small.any(axis=1)).tolist() == list(range(100 // 8, 899 // 8 + 1))


def test_only_the_defect_and_what_is_next_to_it_counts_for_a_defects_features():
    mask = mask_of(slice(60, 68), slice(60, 68))
    plain = np.full((128, 128, 3), 100, np.uint8)
    far, near = plain.copy(), plain.copy()
    far[window(mask)][:6] = 200
    near[60:68, 60:68] = 200
    seen = crop_features([sample(one, mask) for one in (plain, far, near)], mean_colours)
    assert np.array_equal(seen.defects[0], seen.defects[1])
    assert not np.array_equal(seen.layers[0][0], seen.layers[0][1])
    assert (seen.defects[2] > seen.defects[0]).all()
