"""A whole picture's map from a network that sees tiles of it, at the picture's own scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from adabldm.placement.windows import Window, cut_picture

MARGIN = 1 / 8
"""Of a tile's side: so much along its borders is taken from neighbours, where there are some."""

BATCH = 8

Scorer = Callable[[np.ndarray], np.ndarray]
"""Tiles, uint8 (N, S, S, 3), to their maps, float32 (N, S, S)."""


def starts(length: int, side: int) -> list[int]:
    """Where tiles of ``side`` begin along ``length`` pixels, evenly, overlapping by twice the
    margin or more; the last one ends where the picture does."""
    if length <= side:
        return [0]
    margin = int(MARGIN * side)
    count = math.ceil((length - 2 * margin) / (side - 2 * margin))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _spans(length: int, side: int) -> list[tuple[int, slice]]:
    """Each tile's start, and which pixels of the picture are taken from it: every pixel from one
    tile, the one in which it is farther from the border."""
    begins = starts(length, side)
    ends = [0, *((a + b + side) // 2 for a, b in pairwise(begins)), length]
    return [
        (begin, slice(first, last))
        for begin, first, last in zip(begins, ends, ends[1:], strict=False)
    ]


def score_in_tiles(picture: np.ndarray, side: int, scorer: Scorer) -> np.ndarray:
    """The map of uint8 (H, W, 3), float32 (H, W), from tiles of ``side``; a picture that is
    smaller is mirrored beyond its border."""
    height, width = picture.shape[:2]
    whole = np.empty((height, width), np.float32)
    places = [(y, x) for y in _spans(height, side) for x in _spans(width, side)]
    for first in range(0, len(places), BATCH):
        some = places[first : first + BATCH]
        tiles = np.stack(
            [cut_picture(picture, Window(y, x, side, side, ())) for (y, _), (x, _) in some]
        )
        for ((top, rows), (left, cols)), scores in zip(some, scorer(tiles), strict=True):
            inner = (
                slice(rows.start - top, rows.stop - top),
                slice(cols.start - left, cols.stop - left),
            )
            whole[rows, cols] = scores[inner]
    return whole
