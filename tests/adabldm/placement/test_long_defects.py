"""A long thin defect is drawn in parts at the picture's own scale; nothing of it is left out."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.placement import windows
from adabldm.placement.canvas import canvas
from adabldm.placement.long_defects import in_parts

SIZE = 128
SHAPE = (400, 900)


def diagonal(width: int, length: int = 700) -> np.ndarray:
    """A stripe across a picture, bool."""
    mask = np.zeros(SHAPE, bool)
    for step in range(length):
        top = 30 + step * 300 // length
        mask[top : top + width, 40 + step] = True
    return mask


def block(height: int, width: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[20 : 20 + height, 20 : 20 + width] = True
    return mask


def picture_of(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(0).integers(90, 160, (*SHAPE, 3), np.uint8)
    return image, trimap.compose(mask.astype(np.uint8) * 255)


@pytest.mark.parametrize("mask", [diagonal(2), diagonal(5), block(3, 110), block(4, 70)])
def test_a_thin_defect_is_seen_at_its_own_scale_and_put_back_whole(mask: np.ndarray) -> None:
    image, marks = picture_of(mask)
    whole = canvas(image, marks, 7, SIZE, native=True)
    views = whole.views()
    assert whole.facts()["shrink"] == 1
    assert len({view.seed for view in views}) == len(views)
    result = whole.composed([np.zeros_like(view.image) for view in views])
    np.testing.assert_array_equal(result[~mask], image[~mask])
    assert (result[mask] != image[mask]).any(axis=1).all()


def test_a_window_shows_what_goes_on_of_its_defect_beyond_its_part() -> None:
    views = canvas(*picture_of(diagonal(3)), 7, SIZE, native=True).views()
    touching = [(view.trimap == trimap.DEFECT)[:, [0, -1]].any(axis=0) for view in views]
    assert len(views) > 5
    assert all(sides.any() for sides in touching)
    assert sum(sides.all() for sides in touching) == len(views) - 2


@pytest.mark.parametrize("mask", [block(120, 300), block(60, 60), block(3, 50), block(40, 200)])
def test_a_wide_or_a_short_defect_stays_in_one_piece(mask: np.ndarray) -> None:
    defects = windows.defects_of(picture_of(mask)[1])
    parts = in_parts(defects, SIZE)
    assert not parts.thin
    assert parts.numbers is defects
    assert len(canvas(*picture_of(mask), 7, SIZE, native=True).views()) == 1


def test_other_defects_keep_their_windows_beside_one_that_is_cut_up() -> None:
    scratch, hole = diagonal(3), np.zeros(SHAPE, bool)
    hole[370:378, 20:30] = True
    alone = canvas(*picture_of(hole), 7, SIZE, native=True).views()
    together = canvas(*picture_of(scratch | hole), 7, SIZE, native=True).views()
    assert any(np.array_equal(view.trimap, alone[0].trimap) for view in together)
