"""What the surroundings of a place look like: means of features over rings around it.

The inside is left out, so that a real defect's surroundings and those of a place without a defect
are told in the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RINGS = (2, 5, 10)
"""Widths of the rings, in cells of the features."""

MARGIN = 2
"""Cells next to a defect that are left out with it: a network sees some way around a place."""

DIMENSIONS = 8
"""Principal directions of the features that are kept."""

CELLS = 1000
"""Cells of each picture from which the directions are learned."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Principal directions of what a product's good pictures look like, at unit variance: ``mean``
    (C,) and ``directions`` (C, D)."""

    mean: np.ndarray
    directions: np.ndarray

    @classmethod
    def of(cls, looks: Sequence[np.ndarray]) -> Frame:
        """Of pictures (h, w, C) each."""
        rng = np.random.default_rng(0)
        flat = [seen.reshape(-1, seen.shape[2]) for seen in looks]
        some = [one[rng.permutation(len(one))[:CELLS]] for one in flat]
        places = np.concatenate(some).astype(np.float64)
        mean, scale = places.mean(axis=0), places.std(axis=0)
        scale = np.maximum(scale, max(1e-3 * scale.max(), 1e-9))
        standard = (places - mean) / scale
        variance, axes = np.linalg.eigh(standard.T @ standard / len(standard))
        kept = slice(-1, -1 - DIMENSIONS, -1)
        length = np.sqrt(np.maximum(variance[kept], 1e-6))
        return cls(mean=mean, directions=axes[:, kept] / scale[:, None] / length)

    def along(self, seen: np.ndarray) -> np.ndarray:
        """Places (h, w, C) along the directions, float32 (h, w, D)."""
        return ((seen - self.mean) @ self.directions).astype(np.float32)


def box_sums(values: np.ndarray, reach: int) -> np.ndarray:
    """Sums of (h, w, ...) over the square of ``2 * reach + 1`` cells around each; nothing lies
    beyond the border."""
    sums = values.astype(np.float64)
    for axis in (0, 1):
        size = sums.shape[axis]
        zero = np.zeros_like(sums.take([0], axis))
        running = np.concatenate([zero, np.cumsum(sums, axis=axis)], axis=axis)
        end = np.minimum(np.arange(size) + reach + 1, size)
        begin = np.maximum(np.arange(size) - reach, 0)
        sums = running.take(end, axis) - running.take(begin, axis)
    return sums


def grown(marks: np.ndarray, reach: int) -> np.ndarray:
    """bool (h, w) grown by ``reach`` cells to all sides."""
    larger: np.ndarray = box_sums(marks, reach) > 0.5
    return larger


def everywhere(places: np.ndarray, share: np.ndarray, reach: int) -> np.ndarray:
    """The surroundings of every cell: float64 (h, w, len(RINGS) * (D + 1)), for each ring the mean
    of ``places`` (h, w, D), along a :class:`Frame`, and how much of the ring is object; ``share``
    (h, w) is that of each cell.

    What is within ``reach`` cells, and :data:`MARGIN` more, is left out: half of a defect's width.
    """
    figures, _ = _rings(places, share, reach, np.zeros(share.shape, bool))
    return figures.reshape(*share.shape, -1)


def around(
    places: np.ndarray, share: np.ndarray, reach: int, marks: np.ndarray, barred: np.ndarray
) -> np.ndarray:
    """The surroundings of ``marks``, bool (h, w): the mean of those of its cells, as
    :func:`everywhere`; float64 (F,). ``barred`` bool (h, w) are cells that hold defects, which
    count nowhere."""
    figures, count = _rings(places, share, reach, grown(barred, MARGIN))
    weight = count[marks] + 1e-9  # a cell that sees little beyond the defect says little
    mean: np.ndarray = (figures[marks] * weight[..., None]).sum(axis=0) / weight.sum(axis=0)[
        :, None
    ]
    return mean.ravel()


def _rings(
    places: np.ndarray, share: np.ndarray, reach: int, barred: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Figures of each ring around each cell, (h, w, R, D + 1), and of how many cells they are,
    (h, w, R)."""
    seen = (~barred).astype(np.float64)
    layers = np.concatenate(
        [places * seen[..., None], seen[..., None], (share * seen)[..., None], barred[..., None]],
        axis=2,
    )
    inner = box_sums(layers, reach + MARGIN)
    whole = places.reshape(-1, places.shape[2]).mean(axis=0)
    figures, counts = [], []
    for width in RINGS:
        side, hole = (2 * (reach + MARGIN + extra) + 1 for extra in (width, 0))
        ring = box_sums(layers, reach + MARGIN + width) - inner
        count = np.rint(ring[..., -3])
        none = count < 1  # the picture ends there, or all is defect
        mean = ring[..., :-3] / np.where(none, 1, count)[..., None]
        mean[none] = whole
        # Beyond the picture's end there is no object.
        objects = ring[..., -2] / np.maximum(side**2 - hole**2 - ring[..., -1], 1)
        figures.append(np.concatenate([mean, objects[..., None]], axis=2))
        counts.append(count)
    return np.stack(figures, axis=2), np.stack(counts, axis=2)
