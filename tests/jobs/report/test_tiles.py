"""Thumbnails show the defect, and masks are measured right."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from jobs.report.sprites import ACROSS, EACH, Sprites
from jobs.report.tiles import CELLS, SIDE, Tile, tile_of

SIZES = [(60, 90), (400, 400), (3, 1000), (1, 1), (2000, 30)]


@pytest.mark.parametrize("size", SIZES)
def test_a_small_defect_is_inside_its_tile_wherever_it_is(size: tuple[int, int]) -> None:
    for top in (0, size[0] // 2, size[0] - 1):
        for left in (0, size[1] // 2, size[1] - 1):
            mask = np.zeros(size, bool)
            mask[top, left] = True
            picture = np.zeros((*size, 3), np.uint8)
            picture[mask] = 255
            tile = tile_of(picture, mask)
            assert tile.picture.shape == (SIDE, SIDE, 3)
            assert tile.picture.max() > 0
            assert tile.spot is not None
            assert (tile.spot.extent, tile.spot.share) == (1, 1 / (size[0] * size[1]))
            assert tile.spot.cells.sum() == 1


def test_a_mask_is_measured_in_the_pictures_pixels() -> None:
    mask = np.zeros((100, 200), bool)
    mask[10:30, 40:100] = True
    spot = tile_of(np.zeros((100, 200, 3), np.uint8), mask).spot
    assert spot is not None
    assert (spot.size, spot.extent, spot.share) == ((100, 200), 60, 0.06)
    assert spot.centre == (350, 200)
    assert spot.cells.shape == (CELLS, CELLS)
    rows, columns = np.nonzero(spot.cells)
    assert (rows.min(), columns.min()) == (10 * CELLS // 100, 40 * CELLS // 200)


@pytest.mark.parametrize("mask", [None, np.zeros((50, 70), bool)])
def test_a_pair_without_a_defect_has_a_tile_of_the_whole(mask: np.ndarray | None) -> None:
    tile = tile_of(np.full((50, 70, 3), 9, np.uint8), mask)
    assert tile.spot is None
    assert (tile.picture == 9).all()
    assert not tile.outline.any()


def test_a_mask_of_another_size_than_its_picture_is_fitted_to_it() -> None:
    mask = np.zeros((25, 35), bool)
    mask[5:10, 5:10] = True
    spot = tile_of(np.zeros((50, 70, 3), np.uint8), mask).spot
    assert spot is not None
    assert (spot.size, spot.extent) == ((50, 70), 10)


def test_each_tile_is_at_the_place_that_its_number_says() -> None:
    sprites = Sprites()
    outline = np.zeros((SIDE, SIDE), bool)
    outline[0, 0] = True
    for number in range(EACH + 3):
        picture = np.full((SIDE, SIDE, 3), 12 * number, np.uint8)
        assert sprites.add(Tile(picture=picture, outline=outline, spot=None)) == number
    sheets = sprites.close()
    assert len(sheets) == 2
    for number in range(EACH + 3):
        sheet = sheets[number // EACH]
        row, column = divmod(number % EACH, ACROSS)
        pictures = decoded(sheet.pictures).convert("RGB")
        outlines = decoded(sheet.outlines).convert("RGBA")
        corner = (column * SIDE, row * SIDE)
        middle = pictures.getpixel((corner[0] + SIDE // 2, corner[1] + SIDE // 2))
        assert max(abs(value - 12 * number) for value in middle) <= 6
        assert outlines.getpixel(corner)[3] == 255
        assert outlines.getpixel((corner[0] + 5, corner[1] + 5))[3] == 0


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))
