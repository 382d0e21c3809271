from __future__ import annotations

import numpy as np

from adabldm.judging.refined import MARGIN, refine

SHAPE = (60, 60)


def square(first: int, last: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[first:last, first:last] = True
    return mask


def test_speckle_is_smoothed_away_and_holes_are_closed():
    asked = square(10, 50)
    speckled = asked & (np.random.default_rng(0).random(SHAPE) < 0.2)
    assert not refine(speckled, speckled, asked).any()
    ring = square(12, 48) & ~square(25, 35)
    refined = refine(ring, ring, asked)
    assert refined[25:35, 25:35].all()


def test_what_changed_and_was_asked_for_stays_and_the_rest_does_not():
    asked = square(10, 50)
    half = asked.copy()
    half[:, 30:] = False
    refined = refine(half, half, asked)
    assert abs(int(refined.sum()) - int(half.sum())) < 0.06 * asked.sum()
    assert refine(asked, asked, asked).sum() == asked.sum()


def test_nothing_lies_outside_the_asked_mask_but_a_margin_that_was_touched():
    asked, everywhere = square(20, 40), np.ones(SHAPE, bool)
    assert not (refine(everywhere, asked, asked) & ~asked).any()
    refined = refine(everywhere, everywhere, asked)
    assert refined[20 - MARGIN, 30]
    assert not refined[20 - MARGIN - 1, 30]
    assert (refined & ~square(20 - MARGIN, 40 + MARGIN)).sum() == 0


def test_a_line_of_one_pixel_and_a_mask_of_the_whole_box_are_kept():
    line = np.zeros(SHAPE, bool)
    line[30, 5:55] = True
    assert np.array_equal(refine(line, line, line), line)
    everywhere = np.ones(SHAPE, bool)
    assert refine(everywhere, everywhere, everywhere).all()


def test_the_ground_within_an_asked_ring_is_no_hole_of_the_defect():
    ring = square(10, 50) & ~square(20, 40)
    assert np.array_equal(refine(ring, ring, ring), ring)
