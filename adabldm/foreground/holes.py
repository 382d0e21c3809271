"""Holes of an object, through which the ground is seen."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, binary_fill_holes, binary_opening, label
from skimage.color import rgb2lab

from adabldm.foreground import refine

LEAST = 0.01
"""A hole has at least this share of the filled object's area; smaller ones are spots."""

ALIKE = 0.25
"""Colour of a hole, from the ground's to the object's, up to which it is the ground's."""


def find(image: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Where the ground is seen through the object, bool (H, W), in uint8 (H, W, 3) in which the
    object, with its holes, is coarsely at bool (h, w)."""
    outer = refine.cleaned(cells)
    inner = binary_opening(binary_fill_holes(outer) & ~cells)
    parts, count = label(inner & outer)
    height, width = cells.shape
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    colour = rgb2lab(np.asarray(small))
    beside = ~binary_dilation(outer, iterations=2)
    thing = outer & ~binary_dilation(inner)
    kept = np.zeros_like(cells)
    if beside.any() and thing.any():
        ground, own = (np.median(colour[where], axis=0) for where in (beside, thing))
        axis = (own - ground) / max(float(((own - ground) ** 2).sum()), 1e-6)
        for number in range(1, count + 1):
            hole = parts == number
            seen = float((np.median(colour[hole], axis=0) - ground) @ axis)
            if hole.sum() >= LEAST * outer.sum() and abs(seen) <= ALIKE:
                kept |= hole
    if not kept.any():
        return np.zeros(image.shape[:2], bool)
    return refine.refine(image, kept)
