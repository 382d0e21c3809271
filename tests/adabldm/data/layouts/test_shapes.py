"""Shapes of annotation files mark the pixels whose middles they hold."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.data.layouts import shapes
from adabldm.data.layouts.shapes import ShapeFault

SHAPE = (30, 40)


def box(x: slice, y: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[y, x] = True
    return mask


def test_a_polygon_marks_its_own_area() -> None:
    points = np.array([(10, 5), (20, 5), (20, 15), (10, 15)], float)
    assert (shapes.polygon(points, SHAPE) == box(slice(10, 20), slice(5, 15))).all()
    assert (shapes.rectangle(points[[2, 0]], SHAPE) == box(slice(10, 20), slice(5, 15))).all()


def test_a_polygon_may_reach_out_of_its_picture() -> None:
    points = np.array([(-50, -50), (10, -50), (10, 10), (-50, 10)], float)
    assert (shapes.polygon(points, SHAPE) == box(slice(0, 10), slice(0, 10))).all()


def test_a_polygon_thinner_than_a_pixel_is_seen() -> None:
    thin = shapes.polygon(np.array([(2, 3.1), (30, 3.1), (30, 3.3), (2, 3.3)]), SHAPE)
    assert thin[3, 3:29].all()


def test_a_circle_has_its_radius() -> None:
    drawn = shapes.circle(np.array([(20, 15), (20, 25)], float), SHAPE)
    assert drawn.sum() == pytest.approx(np.pi * 100, rel=0.05)


def test_a_line_has_a_width() -> None:
    drawn = shapes.lines(np.array([(5, 10.5), (35, 10.5)]), SHAPE)
    assert drawn[10, 6:34].all()
    assert 2 <= drawn[:, 20].sum() <= 4


@pytest.mark.parametrize(
    ("counts", "mask"),
    [
        ([5, 3, 1192], np.arange(1200)[None] // 5 == 1),
        ([0, 1200], np.ones((1, 1200), bool)),
        # pycocotools.mask.encode of columns 10 to 19, rows 5 to 14 of (30, 40)
        ("a9:d000000000000000000cb0", None),
    ],
)
def test_run_lengths_go_down_the_columns(counts: object, mask: np.ndarray | None) -> None:
    if isinstance(counts, str):
        expected = box(slice(10, 20), slice(5, 15))
    else:
        runs = np.repeat(np.arange(len(counts)) % 2 == 1, counts)  # type: ignore[arg-type]
        expected = runs.reshape(40, 30).T
    assert (shapes.run_lengths(counts, [30, 40], SHAPE) == expected).all()


@pytest.mark.parametrize(
    ("counts", "size", "message"),
    [
        ([1200], [40, 30], "is of size"),
        ([1199], [30, 40], "1199 pixels, not 1200"),
        ([-1, 1201], [30, 40], "must be numbers"),
        ("\x01", [30, 40], "which COCO's text has not"),
        (None, [30, 40], "must be numbers"),
    ],
)
def test_run_lengths_that_are_wrong_are_refused(
    counts: object, size: list[int], message: str
) -> None:
    with pytest.raises(ShapeFault, match=message):
        shapes.run_lengths(counts, size, SHAPE)


@pytest.mark.parametrize("points", [None, [], [1, 2, 3], [["a", "b"]], [[1, float("nan")]]])
def test_points_must_be_pairs_of_numbers(points: object) -> None:
    with pytest.raises(ShapeFault, match="pairs of numbers"):
        shapes.points_of(points)
