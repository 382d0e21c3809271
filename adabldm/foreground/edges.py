"""Whether the outline of a region lies where the picture has an edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter
from skimage.color import rgb2lab

from adabldm.foreground.refine import resized, shrunk

SIDE = 256
"""The picture is looked at with no side longer than this, in pixels."""

NEAR = 4
"""Pixels around the outline that are compared with nothing."""


def _slope(image: np.ndarray) -> np.ndarray:
    """Change of colour per pixel, (h, w)."""
    colour = gaussian_filter(rgb2lab(image), (1, 1, 0))
    down, right = np.gradient(colour, axis=(0, 1))
    slope: np.ndarray = np.sqrt((down**2 + right**2).sum(axis=2))
    return slope


def sharpness(image: np.ndarray, mask: np.ndarray) -> float:
    """Mean slope of uint8 (H, W, 3) on the outline of bool (h, w), over that elsewhere.

    About 1 for an outline that is anywhere; 0 where there is no outline.
    """
    small = shrunk(image, SIDE)
    inside = resized(mask, *small.shape[:2])
    outline = binary_dilation(inside) & ~binary_erosion(inside, border_value=1)
    outline[[0, 1, -1, -2]] = outline[:, [0, 1, -1, -2]] = False
    elsewhere = ~binary_dilation(outline, iterations=NEAR)
    if not outline.any() or not elsewhere.any():
        return 0.0
    slope = _slope(small)
    return float(slope[outline].mean() / max(slope[elsewhere].mean(), 1e-6))


def median_sharpness(images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> float:
    """That of the median picture."""
    return float(np.median([sharpness(i, m) for i, m in zip(images, masks, strict=True)]))
