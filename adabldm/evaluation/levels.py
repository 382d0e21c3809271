"""Counting the pixels of any number of score maps by their score, in bounded memory.

A figure of a ranking moves only where a defective pixel is, so the scores of defective pixels are
the cuts between which all pixels are counted. While there are no more of them than
:data:`MOST_CUTS` (:class:`CutCollector` keeps them all), every figure is exact, whatever the range
of the scores. Of more, each region's own are thinned evenly; pixels are still counted exactly, but
those between two cuts in no order: :mod:`curves` bounds what that can change.
"""

from __future__ import annotations

import numpy as np

from adabldm.evaluation.instances import Regions

MOST_CUTS = 1 << 21

BATCH = 1 << 23
"""Pixels that are sorted together."""


class CutCollector:
    """Gathers scores of defective pixels; at most ``most`` are kept, and every instance's score."""

    def __init__(self, most: int = MOST_CUTS) -> None:
        self._most = most
        self._each = 1 << 40
        """Scores that are kept of a region."""
        self._kept: list[np.ndarray] = []
        self._count = 0
        self._instances: list[np.ndarray] = []

    def add(self, regions: Regions) -> None:
        """Take a mask's scores."""
        self._instances.append(regions.instance_scores)
        for scores in np.split(regions.scores, np.cumsum(regions.sizes)[:-1]):
            self._keep(np.unique(scores))
        while self._count > self._most and self._each > 2:
            self._thin()

    def _keep(self, scores: np.ndarray) -> None:
        if len(scores) > self._each:
            scores = scores[np.linspace(0, len(scores) - 1, self._each).round().astype(int)]
        self._kept.append(scores)
        self._count += len(scores)

    def _thin(self) -> None:
        known = np.unique(np.concatenate(self._kept))
        if len(known) <= self._most // 2:  # the regions share their scores
            self._kept, self._count = [known], len(known)
            return
        longest = max(map(len, self._kept))
        self._each = max(2, min(self._each, longest) // 2)
        kept, self._kept, self._count = self._kept, [], 0
        for scores in kept:
            self._keep(scores)

    def cuts(self) -> np.ndarray:
        """The cuts, ascending, all different, in the widest type of the scores."""
        return np.unique(np.concatenate([*self._kept, *self._instances]))


class LevelCounter:
    """Counts scores at each of K ``cuts`` and between them: 2 K + 1 levels, the lowest first."""

    def __init__(self, cuts: np.ndarray, batch: int = BATCH) -> None:
        self._cuts = cuts
        self._batch = batch
        self._waiting: list[np.ndarray] = []
        self._pixels = 0
        self._counts = np.zeros(2 * len(cuts) + 1, np.int64)

    def add(self, scores: np.ndarray) -> None:
        """Count ``scores`` (N,)."""
        self._waiting.append(scores)
        self._pixels += len(scores)
        if self._pixels >= self._batch:
            self._settle()

    def _settle(self) -> None:
        if not self._pixels:
            return
        known = np.concatenate(self._waiting)
        self._waiting, self._pixels = [], 0
        # Of two types the wider one, or scores that differ would become one.
        wide = np.result_type(known, self._cuts)
        known = known.astype(wide, copy=False)
        known.sort()
        cuts = self._cuts.astype(wide, copy=False)
        ends = np.empty(2 * len(cuts) + 2, np.int64)
        ends[0], ends[-1] = 0, len(known)
        ends[1:-1:2] = np.searchsorted(known, cuts, side="left")
        ends[2:-1:2] = np.searchsorted(known, cuts, side="right")
        self._counts += np.diff(ends)

    def counts(self) -> np.ndarray:
        """int64 (2 K + 1,)."""
        self._settle()
        return self._counts


def level_of(cuts: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The level of each of ``scores`` (N,)."""
    left = np.searchsorted(cuts, scores, side="left")
    return left + np.searchsorted(cuts, scores, side="right")
