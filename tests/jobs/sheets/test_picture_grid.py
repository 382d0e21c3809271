"""A grid of pictures: each where it is said to be, whole, and named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFont

from jobs.sheets.picture_grid import (
    BACKING,
    PAPER,
    TITLE,
    Group,
    PictureGrid,
    fitted,
    titled_sheet,
)

SIDE = 40


def plain(tone: int, height: int = 20, width: int = 20) -> np.ndarray:
    return np.full((height, width, 3), tone, np.uint8)


def grid(count: int, across: int) -> PictureGrid:
    groups = [
        Group(pictures=(plain(10 * number), plain(10 * number + 5)), label=f"group {number}")
        for number in range(count)
    ]
    return PictureGrid(groups=groups, side=SIDE, across=across, titles=("one", "other"))


@pytest.mark.parametrize(("count", "across"), [(1, 1), (2, 3), (7, 3), (4, 4)])
def test_every_picture_is_whole_where_its_corner_is_said_to_be(count: int, across: int) -> None:
    shown = grid(count, across)
    sheet = np.asarray(shown.draw())
    assert sheet.shape == (*shown.size[::-1], 3)
    for number in range(count):
        for column in range(2):
            left, top = shown.corner(number, column)
            square = sheet[top : top + SIDE, left : left + SIDE]
            assert square.shape == (SIDE, SIDE, 3)
            assert (square == 10 * number + 5 * column).all()


def test_words_stand_above_their_pictures_and_never_on_them() -> None:
    shown = grid(6, 3)
    sheet = np.asarray(shown.draw())
    for number in range(6):
        left, top = shown.corner(number, 0)
        above = sheet[top - shown.label_height : top, left : left + shown.group_width]
        assert (above != PAPER[0]).any()
    left, top = shown.corner(0, 1)
    assert (sheet[: top - shown.label_height, left : left + SIDE] != PAPER[0]).any()


def test_a_picture_that_is_not_square_keeps_its_shape() -> None:
    wide = PictureGrid(groups=[Group(pictures=(plain(90, 10, 20),))], side=SIDE)
    left, top = wide.corner(0, 0)
    column = np.asarray(wide.draw())[top : top + SIDE, left + SIDE // 2, 0]
    assert (column[11:29] == 90).all()
    assert (column[:10] == BACKING[0]).all()
    assert (column[-10:] == BACKING[0]).all()


def test_masks_are_shown_in_grey() -> None:
    shown = PictureGrid(groups=[Group(pictures=(np.full((8, 8), 255, np.uint8),))], side=SIDE)
    assert (np.asarray(shown.draw())[shown.corner(0, 0)[1] + 5, 20] == 255).all()


def test_of_words_that_are_too_long_the_end_stays() -> None:
    font = ImageFont.load_default(size=13)
    assert fitted("short", font, 200) == "short"
    cut = fitted("a_very_long_object-defect-s0-0000012", font, 120)
    assert cut.startswith("…")
    assert cut.endswith("-0000012")
    assert font.getlength(cut) <= 120


def test_a_title_stands_above_the_parts() -> None:
    parts = [Image.new("RGB", (60, 20), colour) for colour in ("red", "blue")]
    sheet = titled_sheet("made", parts)
    assert sheet.size == (60, TITLE + 40)
    assert sheet.getpixel((5, TITLE)) == (255, 0, 0)
    assert sheet.getpixel((5, TITLE + 20)) == (0, 0, 255)
