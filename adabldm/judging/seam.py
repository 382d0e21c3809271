"""How visible a cut at a mask's border is, at full resolution."""

from __future__ import annotations

import numpy as np

MOST_PAIRS = 100_000
"""Pairs of pixels that are looked at along one direction; of a longer border an even selection."""


def border_cuts(
    image: np.ndarray, source: np.ndarray, asked: np.ndarray, shows: np.ndarray
) -> np.ndarray:
    """The cut that ``image`` has and ``source`` has not at each pair of pixels that the border of
    ``asked`` parts: (P,), in multiples of ``shows`` (h, w), the change in grey levels that just
    shows. Their mean is the ``seam``: 1 where the cut just shows.

    A cut is a step between the two pixels that is larger than the steps beside it, a pixel further
    in and out. A thing's own edge is spread over several pixels, a line of one pixel has a step on
    either side: neither is a cut. Images are uint8 (h, w, 3), ``asked`` bool (h, w). Pairs at the
    picture's own border have nothing beside them and are left out.
    """
    return np.concatenate(
        [
            _along_rows(*(np.moveaxis(one, along, 0) for one in (image, source, asked, shows)))
            for along in (0, 1)
        ]
    )


def _along_rows(
    image: np.ndarray, source: np.ndarray, asked: np.ndarray, shows: np.ndarray
) -> np.ndarray:
    rows, cols = np.nonzero(asked[1:-2] != asked[2:-1])
    every = max(1, len(rows) // MOST_PAIRS)
    rows, cols = rows[::every] + 1, cols[::every]
    cuts = _cut(image, rows, cols) - _cut(source, rows, cols)
    found: np.ndarray = cuts / np.maximum(shows[rows, cols], shows[rows + 1, cols])
    return found


def _cut(pixels: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """By how much the step from a pixel to the next one exceeds the steps beside it, in grey
    levels, at least 0."""
    line = np.stack([pixels[rows + n, cols] for n in (-1, 0, 1, 2)]).astype(np.float32)
    before, step, after = np.sqrt(np.square(np.diff(line, axis=0)).mean(axis=-1))
    cut: np.ndarray = np.maximum(0, step - np.maximum(before, after))
    return cut
