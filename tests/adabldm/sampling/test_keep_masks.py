from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adabldm.core import trimap
from adabldm.sampling import keep_masks


def marks_with(rows: slice, cols: slice, side: int = 128) -> np.ndarray:
    defect = np.zeros((side, side), np.uint8)
    defect[rows, cols] = 255
    return trimap.compose(defect)


@given(row=st.integers(0, 127), col=st.integers(0, 127))
@settings(max_examples=60, deadline=None)
def test_a_defect_of_one_pixel_never_vanishes_from_the_latent_mask(row, col):
    marks = marks_with(slice(row, row + 1), slice(col, col + 1))
    keep = keep_masks.latent_keep_mask(torch.from_numpy(marks[None]), 8)
    assert keep[0, 0, row // 8, col // 8] == 0


def test_the_authors_nearest_mask_loses_the_line_that_ours_keeps():
    marks = torch.from_numpy(marks_with(slice(97, 104), slice(20, 200), side=256)[None])
    nearest = keep_masks.latent_keep_mask_nearest(torch.where(marks == 255, 255, 0), 32, 32)
    assert nearest.min() == 1
    assert keep_masks.latent_keep_mask(marks, 8).min() == 0


def test_the_latent_mask_grows_by_a_five_by_five_square():
    keep = keep_masks.latent_keep_mask(
        torch.from_numpy(marks_with(slice(64, 65), slice(64, 65))[None]), 8
    )
    assert (keep == 0).sum() == 25
    assert (keep[0, 0, 6:11, 6:11] == 0).all()


def test_the_control_image_holds_the_authors_values():
    marks = np.array([[0, 127, 255]], np.uint8)
    image = keep_masks.control_image(torch.from_numpy(marks[None]))
    assert image.shape == (1, 3, 1, 3)
    assert image[0, 0, 0].tolist() == pytest.approx([0, 127 / 255, 1])


@given(
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    row=st.floats(0, 0.999),
    col=st.floats(0, 0.999),
    side=st.sampled_from([8, 32, 64, 128]),
)
@settings(max_examples=80, deadline=None)
def test_a_resized_trimap_keeps_every_defect(height, width, row, col, side):
    defect = np.zeros((height, width), np.uint8)
    y, x = int(row * height), int(col * width)
    defect[y, x] = 255
    small = trimap.resize(trimap.compose(defect), side, side)
    assert small.shape == (side, side)
    assert (small == trimap.DEFECT).any()
    assert set(np.unique(small)) <= {0, 127, 255}


def test_a_trimap_that_is_made_larger_has_no_holes():
    defect = np.zeros((20, 20), np.uint8)
    defect[5:10, 5:10] = 255
    large = trimap.resize(trimap.compose(defect), 64, 64)
    rows, cols = np.nonzero(large == trimap.DEFECT)
    box = large[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    assert (box == trimap.DEFECT).all()


def test_compose_puts_the_defect_over_object_and_background():
    defect, foreground = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    defect[0, 0] = 255
    foreground[:2] = 1
    marks = trimap.compose(defect, foreground)
    assert marks[0, 0] == trimap.DEFECT
    assert marks[1, 1] == trimap.OBJECT
    assert marks[3, 3] == trimap.BACKGROUND


@pytest.mark.parametrize(
    ("values", "rule"), [([0, 127], "no pixel is 255"), ([0, 128, 255], "128 are not among")]
)
def test_an_illegal_trimap_is_refused_with_its_rule(values, rule):
    with pytest.raises(trimap.TrimapFault, match=rule):
        trimap.check(np.array([values], np.uint8))
