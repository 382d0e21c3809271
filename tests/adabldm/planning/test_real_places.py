"""A real defect is hidden, and its mask lies elsewhere as a plan would set it down."""

from __future__ import annotations

import numpy as np

from adabldm.planning.real_places import cells_of, half_width, others, painted_over


def pit(top: int, left: int, side: int = 9) -> np.ndarray:
    mask = np.zeros((96, 96), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_a_painted_over_defect_has_the_colours_around_it() -> None:
    picture = np.full((96, 96, 3), 120, np.uint8)
    picture[:, 48:] = 180
    marks = [pit(20, 20), pit(60, 70)]
    for mask in marks:
        picture[mask] = 0
    hidden = painted_over(picture, marks)
    assert np.abs(hidden[marks[0]].astype(int) - 120).max() <= 2
    assert np.abs(hidden[marks[1]].astype(int) - 180).max() <= 2
    assert np.array_equal(hidden[:15], picture[:15])


def test_a_picture_that_is_all_defect_is_left_as_it_is() -> None:
    picture = np.full((20, 20, 3), 7, np.uint8)
    assert np.array_equal(painted_over(picture, [np.ones((20, 20), bool)]), picture)


def test_other_places_are_on_the_object_and_off_the_defect_and_each_other() -> None:
    mask, inside = pit(10, 10), np.zeros((96, 96), bool)
    inside[5:80, 5:90] = True
    passes = others(np.random.default_rng(0), mask, inside)
    assert [len(some) for some in passes] == [4, 4]
    for some in passes:
        assert np.sum([mask, *some], axis=0).max() == 1
        assert not any((one & ~inside).any() for one in some)


def test_a_defect_as_large_as_the_object_has_no_other_place() -> None:
    mask = pit(10, 10, 40)
    assert others(np.random.default_rng(0), mask, mask) == [[], []]


def test_a_line_thinner_than_a_cell_is_in_some_cell() -> None:
    thin = np.zeros((4000, 4000), bool)
    thin[1000, 300:3000] = True
    cells = cells_of(thin, 96, 96)
    assert cells.any()
    assert half_width(cells) == 0
    dot = np.zeros((4000, 4000), bool)
    dot[3999, 3999] = True
    assert cells_of(dot, 96, 96).sum() == 1
