"""What lies around a defect, and a difference there carried smoothly over it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

RING = 3
"""Width of a defect's surroundings, in pixels."""

REACHES = (2.0, 8.0, 32.0)
"""Distances over which the membrane carries the difference inwards, in pixels."""


def around(mask: np.ndarray) -> np.ndarray:
    """The surroundings of bool (h, w)."""
    ring: np.ndarray = binary_dilation(mask, iterations=RING) & ~mask
    return ring


def membrane(difference: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``difference`` (h, w, 3) where ``known`` (h, w), carried smoothly to everywhere else."""
    weight = known.astype(np.float32)[..., None]
    total, mass = np.zeros_like(difference), np.full_like(weight, 1e-12)
    for reach in REACHES:
        # The nearest known places count most: wider reaches only fill what is out of these.
        part = 1e-3 ** np.log2(reach)
        total += part * gaussian_filter(difference * weight, (reach, reach, 0))
        mass += part * gaussian_filter(weight, (reach, reach, 0))
    carried: np.ndarray = total / mass
    return carried
