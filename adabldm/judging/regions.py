"""Where a pair is looked at: boxes around its defects, so that a large picture costs no more than
what changed in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import binary_dilation, find_objects, label

CELL = 32
"""Side in pixels of the cells that boxes are made of; a box has one to two cells of surroundings on
each side, where the picture goes on."""

TILE = 1024
"""A box of more pixels a side is looked at in tiles of these, ..."""
HALO = 32
"""... each with so many pixels of its surroundings."""

Box = tuple[slice, slice]
EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def regions_of(asked: np.ndarray) -> list[Box]:
    """Boxes that hold all of bool (H, W) and its surroundings, none of which meet."""
    occupied = binary_dilation(_cells(asked), EIGHT_NEIGHBOURS)
    while True:
        numbered, count = label(occupied, EIGHT_NEIGHBOURS)
        boxes = find_objects(numbered)
        for rows, cols in boxes:
            occupied[rows, cols] = True
        if label(occupied, EIGHT_NEIGHBOURS)[1] == count:
            break
    height, width = asked.shape
    return [
        (
            slice(rows.start * CELL, min(height, rows.stop * CELL)),
            slice(cols.start * CELL, min(width, cols.stop * CELL)),
        )
        for rows, cols in find_objects(label(occupied, EIGHT_NEIGHBOURS)[0])
    ]


def _cells(asked: np.ndarray) -> np.ndarray:
    """Which cells hold a pixel of bool (H, W)."""
    rows = np.arange(0, asked.shape[0], CELL)
    cols = np.arange(0, asked.shape[1], CELL)
    cells: np.ndarray = np.logical_or.reduceat(np.logical_or.reduceat(asked, rows, 0), cols, 1)
    return cells


def tiles_of(height: int, width: int) -> Iterator[tuple[Box, Box, Box]]:
    """The tiles of a box of (height, width): each with its surroundings, the tile itself within
    these, and the tile within the box."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            bottom, right = min(height, top + TILE), min(width, left + TILE)
            first, begin = max(0, top - HALO), max(0, left - HALO)
            last, end = min(height, bottom + HALO), min(width, right + HALO)
            yield (
                (slice(first, last), slice(begin, end)),
                (slice(top - first, bottom - first), slice(left - begin, right - begin)),
                (slice(top, bottom), slice(left, right)),
            )
