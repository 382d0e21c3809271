"""Connected parts of a mask, by 4 neighbours (a pixel's sides) or 8 (its corners too)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.ndimage import generate_binary_structure, label

Neighbours = Literal[4, 8]


def without_crumbs(mask: np.ndarray, least: float, neighbours: Neighbours) -> np.ndarray:
    """``mask``, bool (h, w), without the parts smaller than ``least`` (0..1) of its largest."""
    parts, areas = _parts(mask, neighbours)
    kept: np.ndarray = mask & (areas >= least * areas.max())[parts]
    return kept


def largest_part(mask: np.ndarray, neighbours: Neighbours) -> np.ndarray:
    """The part of bool (h, w) with the most pixels; of equal ones the first, row by row."""
    parts, areas = _parts(mask, neighbours)
    largest: np.ndarray = mask & (parts == areas.argmax())
    return largest


def _parts(mask: np.ndarray, neighbours: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """The part's number at each pixel, 0 outside, and each part's area, that of 0 being 0."""
    parts, _ = label(mask, generate_binary_structure(2, 1 if neighbours == 4 else 2))
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    return parts, areas
