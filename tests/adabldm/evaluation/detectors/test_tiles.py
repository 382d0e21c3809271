"""A picture's map is put together from its tiles without a pixel lost, doubled or moved."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.evaluation.detectors import tiles
from adabldm.evaluation.detectors.tiles import score_in_tiles

SIZES = [(1, 1), (5, 90), (31, 32), (32, 32), (33, 64), (100, 71), (256, 130)]


def red(pictures: np.ndarray) -> np.ndarray:
    """A detector whose score of a pixel is what it shows."""
    return pictures[..., 0].astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_what_a_detector_says_of_a_pixel_is_where_the_pixel_is(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    scores = score_in_tiles(picture, 32, red)
    assert scores.dtype == np.float32
    assert np.array_equal(scores, picture[..., 0])


@pytest.mark.parametrize("size", SIZES)
def test_no_pixel_is_taken_from_near_a_tiles_border_unless_the_picture_ends(
    size: tuple[int, int],
) -> None:
    def distance(pictures: np.ndarray) -> np.ndarray:
        near = np.minimum(np.arange(32), 31 - np.arange(32))
        return np.broadcast_to(np.minimum.outer(near, near), pictures.shape[:3]).astype(np.float32)

    picture = np.zeros((*size, 3), np.uint8)
    scores = score_in_tiles(picture, 32, distance)
    margin = int(tiles.MARGIN * 32)
    inner = scores[margin:-margin, margin:-margin]
    assert (inner >= margin).all()


def test_tiles_are_handed_over_in_batches_that_fit() -> None:
    seen: list[int] = []

    def counted(pictures: np.ndarray) -> np.ndarray:
        seen.append(len(pictures))
        return red(pictures)

    score_in_tiles(np.zeros((200, 200, 3), np.uint8), 32, counted)
    assert max(seen) <= tiles.BATCH
    assert sum(seen) == len(tiles.starts(200, 32)) ** 2
