"""Defects one by one: regions of a mask, their scores, and IAP.

IAP and IAP@90 are those of DeSTSeg (Zhang et al., CVPR 2023): average precision over defects
rather than pixels, so that a large one does not hide many small ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label

EIGHT_NEIGHBOURS = np.ones((3, 3), int)


@dataclass(frozen=True)
class Regions:
    """The connected parts (8 neighbours) of a mask: the ``scores`` of all their pixels, part by
    part and ascending in each, and the parts' ``sizes`` in pixels."""

    scores: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, mask: np.ndarray, scores: np.ndarray) -> Regions:
        """Of bool (H, W) and (H, W)."""
        parts, count = label(mask, EIGHT_NEIGHBOURS)
        inside = parts[mask]
        values = scores[mask]
        order = np.lexsort((values, inside))
        return cls(values[order], np.bincount(inside, minlength=count + 1)[1:])

    @property
    def weights(self) -> np.ndarray:
        """Of each pixel, one over the size of its part, float64."""
        return np.repeat(1 / self.sizes, self.sizes)

    @property
    def instance_scores(self) -> np.ndarray:
        """Of each part the score at index floor(n / 2) of its n pixels, the highest first: the
        highest threshold that more than half of its pixels reach."""
        last = np.cumsum(self.sizes) - 1
        return self.scores[last - self.sizes // 2]


@dataclass(frozen=True)
class InstancePrecision:
    """IAP and IAP@90."""

    iap: float
    iap90: float


def instance_average_precision(precisions: np.ndarray) -> InstancePrecision | None:
    """From the pixel precision at each of N instance scores, the lowest score first.

    At the i-th lowest recall is 1 - i / N, and interpolated precision the largest of the first
    i + 1. IAP is the mean of the N, IAP@90 the one at the smallest recall of at least 0.9. None
    without instances.
    """
    count = len(precisions)
    if not count:
        return None
    interpolated = np.maximum.accumulate(precisions)
    return InstancePrecision(float(interpolated.mean()), float(interpolated[count // 10]))
