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


def around(
    places: np.ndarray, share: np.ndarray, marks: np.ndarray, barred: np.ndarray
) -> np.ndarray:
    """The surroundings of ``marks``: float64 (len(RINGS) * (D + 1),).

    ``places`` (h, w, D) along a :class:`Frame`; ``share`` (h, w) of each cell that is object;
    ``marks`` bool (h, w); ``barred`` bool (h, w) the cells that hold a defect, which count nowhere.
    """
    outer = MARGIN + max(RINGS)
    wide = np.pad(marks, outer)
    left_out = grown(wide, MARGIN) | np.pad(grown(barred, MARGIN), outer)
    within = np.pad(np.ones_like(marks), outer)
    object_share = np.pad(share, outer)
    found: list[np.ndarray] = []
    for width in RINGS:
        ring = grown(wide, MARGIN + width) & ~left_out
        seen = (ring & within)[outer:-outer, outer:-outer]
        if not seen.any():
            seen = np.ones_like(marks)
        found.append(places[seen].mean(axis=0, dtype=np.float64))
        found.append(np.array([object_share[ring].mean() if ring.any() else 1.0]))
    return np.concatenate(found)


def everywhere(places: np.ndarray, share: np.ndarray, reach: int) -> np.ndarray:
    """The surroundings of a square of ``2 * reach + 1`` cells at every cell, as :func:`around`:
    float64 (h, w, len(RINGS) * (D + 1))."""
    inner = reach + MARGIN
    ones = np.ones(share.shape)
    found: list[np.ndarray] = []
    for width in RINGS:
        outer = inner + width
        count = box_sums(ones, outer) - box_sums(ones, inner)
        ring = box_sums(places, outer) - box_sums(places, inner)
        # A picture that the inner square covers has no ring: its mean is told.
        none = count < 1
        mean = ring / np.where(none, 1, count)[..., None]
        mean[none] = places.mean(axis=(0, 1))
        cells = (2 * outer + 1) ** 2 - (2 * inner + 1) ** 2
        objects = (box_sums(share, outer) - box_sums(share, inner)) / cells
        found += [mean, objects[..., None]]
    return np.concatenate(found, axis=2)
