"""Surroundings are those around a defect: what is under it is not seen."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.planning.surroundings import MARGIN, RINGS, Frame, around, box_sums, everywhere, grown


@pytest.fixture
def places() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(30, 40, 3)).astype(np.float32)


def test_box_sums_are_sums_over_squares(places: np.ndarray) -> None:
    sums = box_sums(places, 2)
    assert sums[7, 9] == pytest.approx(places[5:10, 7:12].sum(axis=(0, 1)), abs=1e-4)
    assert sums[0, 39] == pytest.approx(places[:3, 37:].sum(axis=(0, 1)), abs=1e-4)


def test_each_place_is_told_by_the_rings_around_it(places: np.ndarray) -> None:
    share = np.zeros((30, 40), np.float32)
    share[:, :20] = 1
    found = everywhere(places, share, 1)[15, 20].reshape(len(RINGS), 4)
    inner = MARGIN + 1
    ring = np.zeros((30, 40), bool)
    ring[15 - inner - 2 : 16 + inner + 2, 20 - inner - 2 : 21 + inner + 2] = True
    ring[15 - inner : 16 + inner, 20 - inner : 21 + inner] = False
    assert found[0, :3] == pytest.approx(places[ring].mean(axis=0), abs=1e-5)
    assert found[0, 3] == pytest.approx(share[ring].mean(), abs=1e-6)


def test_beyond_the_end_of_the_picture_is_no_object(places: np.ndarray) -> None:
    found = everywhere(places, np.ones((30, 40)), 0)[..., 3]
    assert found[15, 20] == pytest.approx(1)
    assert found[0, 0] < 0.4


def test_what_is_under_a_defect_does_not_count(places: np.ndarray) -> None:
    marks = np.zeros((30, 40), bool)
    marks[10:14, 10:15] = True
    share = np.ones((30, 40))
    before = around(places, share, 1, marks, marks)
    places[grown(marks, MARGIN)] = 99
    assert np.array_equal(around(places, share, 1, marks, marks), before)
    places[10, 20] = 99
    assert not np.array_equal(around(places, share, 1, marks, marks), before)


def test_a_defect_that_covers_its_picture_has_surroundings_too(places: np.ndarray) -> None:
    marks = np.ones((30, 40), bool)
    assert np.isfinite(around(places, np.ones((30, 40)), 14, marks, marks)).all()
    assert np.isfinite(everywhere(places[:3, :3], np.ones((3, 3)), 9)).all()


def test_a_frame_of_pictures_that_show_nothing_is_one() -> None:
    plain = np.ones((8, 8, 12), np.float32)
    assert np.isfinite(Frame.of([plain]).along(plain)).all()
