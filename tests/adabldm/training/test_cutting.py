from __future__ import annotations

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.placement import windows
from adabldm.training import cutting

SIZE = 64


def scene(height=300, width=500, boxes=((100, 120, 12, 60),)):
    """A picture whose pixels tell where they are, and its trimap."""
    rows, cols = np.mgrid[:height, :width]
    image = np.stack([rows % 256, cols % 256, (rows // 256) * 16 + cols // 256], 2).astype(np.uint8)
    marks = np.full((height, width), trimap.OBJECT, np.uint8)
    for top, left, tall, wide in boxes:
        marks[top : top + tall, left : left + wide] = trimap.DEFECT
    return image, marks


def cuts(image, marks, count=60):
    for number in range(count):
        yield cutting.cut(np.random.default_rng(number), image, marks, SIZE)


def test_every_window_has_the_models_size_and_shows_a_defect():
    for image, marks in cuts(*scene()):
        assert image.shape == (SIZE, SIZE, 3)
        assert marks.shape == (SIZE, SIZE)
        assert (marks == trimap.DEFECT).any()


def test_half_of_the_windows_are_those_of_generation_but_for_where_they_begin():
    image, marks = scene()
    (made,) = windows.windows_of(windows.defects_of(marks), SIZE)
    same = 0
    for _, found in cuts(image, marks, 100):
        width = np.ptp(np.flatnonzero((found == trimap.DEFECT).any(axis=0))) + 1
        same += abs(width - 60 * SIZE / made.side) <= 1
    assert 40 <= same <= 75


def test_a_window_shows_all_that_it_showed_before_it_was_moved():
    for _, marks in cuts(*scene(boxes=((10, 10, 9, 9),))):
        assert (marks == trimap.DEFECT).sum() >= 4
    whole = [(marks == trimap.DEFECT).sum() for _, marks in cuts(*scene(boxes=((150, 150, 9, 9),)))]
    assert max(whole) == 81
    assert min(whole) >= 4


def test_windows_move_so_that_defects_are_not_always_in_the_middle():
    image, marks = scene(boxes=((150, 200, 8, 8),))
    centres = {
        tuple(np.argwhere(found == trimap.DEFECT).mean(axis=0).round().astype(int))
        for _, found in cuts(image, marks)
    }
    assert len(centres) > 20


def test_every_defect_that_a_window_shows_is_marked():
    image, marks = scene(boxes=((100, 100, 10, 10), (100, 125, 10, 10), (104, 150, 3, 3)))
    image[marks == trimap.DEFECT] = (0, 0, 255)
    for seen, found in cuts(image, marks):
        blue = (seen[..., 2] > 200) & (seen[..., 0] < 50)
        assert (found[blue] == trimap.DEFECT).all()


def test_a_picture_without_a_defect_is_cut_on_its_object():
    image, marks = scene(boxes=())
    marks[:] = trimap.BACKGROUND
    marks[20:40, 430:450] = trimap.OBJECT
    for _, found in cuts(image, marks, 20):
        assert (found == trimap.OBJECT).any()
        assert not (found == trimap.DEFECT).any()


@pytest.mark.parametrize("shape", [(40, 40), (64, 64), (30, 400), (400, 30), (65, 300)])
def test_pictures_of_any_shape_can_be_cut(shape):
    image, marks = scene(*shape, boxes=((5, 5, 12, 9),))
    for _, found in cuts(image, marks, 10):
        assert (found == trimap.DEFECT).any()
    for _, found in cuts(*scene(*shape, boxes=()), 10):
        assert not (found == trimap.DEFECT).any()


def test_a_window_is_a_function_of_the_stream_alone():
    image, marks = scene()
    one, other = (cutting.cut(np.random.default_rng(7), image, marks, SIZE) for _ in range(2))
    assert np.array_equal(one[0], other[0])
    assert np.array_equal(one[1], other[1])
