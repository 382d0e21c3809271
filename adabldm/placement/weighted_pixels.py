"""Pixels that are drawn with the chances that a map gives their places."""

from __future__ import annotations

import numpy as np


class WeightedPixels:
    """Pixels of a box in a picture, as likely as their cell of a map says.

    ``maps`` (K, h, w), above 0, are the chances of a pixel relative to the others, one map a kind,
    stretched over the picture of (``height``, ``width``); the box begins at (``top``, ``left``)
    and is ``inside`` (H, W), bool, of which the True pixels may be drawn.
    """

    def __init__(
        self, maps: np.ndarray, height: int, width: int, inside: np.ndarray, top: int, left: int
    ) -> None:
        self._maps = np.asarray(maps, np.float32)
        kinds, down, across = self._maps.shape
        self._width = inside.shape[1]
        self._down = (np.arange(inside.shape[0]) + top) * down // height
        self._across = (np.arange(inside.shape[1]) + left) * across // width
        spots = np.flatnonzero(inside).astype(np.int32)
        cell = self.cells(spots)
        order = np.argsort(cell, kind="stable")
        self.spots = spots[order]
        """All pixels that may be drawn, as flat positions in the box, cell by cell, int32 (P,)."""
        used, self._first, self._count = np.unique(
            cell[order], return_index=True, return_counts=True
        )
        total = np.cumsum(
            self._maps.reshape(kinds, -1)[:, used] * self._count, axis=1, dtype=np.float64
        )
        # Kind k has the numbers from k to k + 1, so that one search serves all kinds.
        self._ends = (total / total[:, -1:] + np.arange(kinds)[:, None]).ravel()

    @property
    def nbytes(self) -> int:
        parts = (self._maps, self._down, self._across, self.spots, self._first, self._count)
        return sum(part.nbytes for part in parts) + self._ends.nbytes

    def draw(self, kinds: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """A pixel for each of ``kinds`` (N,), chosen by ``chance`` (N,) in [0, 1): int32 (N,), as
        flat positions in the box."""
        cells = len(self._count)
        number = np.searchsorted(self._ends, kinds + chance, side="right")
        number = np.clip(number, kinds * cells, kinds * cells + cells - 1)
        cell = number - kinds * cells
        begin = np.where(cell > 0, self._ends[number - 1], kinds)
        share = (kinds + chance - begin) / np.maximum(self._ends[number] - begin, 1e-300)
        within = (np.clip(share, 0, 1 - 1e-9) * self._count[cell]).astype(np.int64)
        drawn: np.ndarray = self.spots[self._first[cell] + within]
        return drawn

    def chances(self, kind: int, pixels: np.ndarray) -> np.ndarray:
        """What the map of ``kind`` says of ``pixels`` (N,), flat positions in the box."""
        found: np.ndarray = self._maps[kind].ravel()[self.cells(pixels)]
        return found

    def cells(self, pixels: np.ndarray) -> np.ndarray:
        """The cells of the maps that ``pixels`` (N,) are in, by number."""
        row, column = np.divmod(pixels, self._width)
        cells: np.ndarray = self._down[row] * self._maps.shape[2] + self._across[column]
        return cells
