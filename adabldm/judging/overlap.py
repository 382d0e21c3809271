"""How well the mask of what changed agrees with the one asked for, by area and by centre line."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from skimage.morphology import skeletonize

THIN = 8.0
"""The greatest mean width of a thin defect, in pixels: its area over its skeleton's length. A cell
of the latents is as wide, so that the model may lose it."""

ELONGATED = 3.0
"""How many times longer than wide a thin defect is: a speck is small, and not thin."""


def skeleton_of_thin(asked: np.ndarray) -> np.ndarray:
    """The skeleton of bool (h, w), as bool (h, w); empty if the mask, taken as a whole, is not thin
    by :data:`THIN` and :data:`ELONGATED`."""
    nothing = np.zeros_like(asked)
    area = int(asked.sum())
    # A line's outline is twice as long as the line; this spares large areas a slow skeleton.
    if not area or 2 * area / _outline(asked) > 2 * THIN:
        return nothing
    skeleton: np.ndarray = skeletonize(asked)
    length = int(skeleton.sum())
    width = area / length
    return skeleton if width <= THIN and length >= ELONGATED * width else nothing


def _outline(asked: np.ndarray) -> int:
    """Sides of pixels that part bool (h, w) from what is around it."""
    framed = np.pad(asked, 1)
    return int(sum(np.count_nonzero(np.diff(framed, axis=axis)) for axis in (0, 1)))


def line_counts(refined: np.ndarray, asked: np.ndarray, skeleton: np.ndarray) -> dict[str, float]:
    """Pixels of both skeletons and how many of them the other's mask holds: ``line`` and
    ``line_held`` of the asked mask's ``skeleton``, ``own`` and ``own_held`` of the refined one's.
    All bool (h, w)."""
    own = skeletonize(refined)
    return {
        "line": float(skeleton.sum()),
        "line_held": float((skeleton & refined).sum()),
        "own": float(own.sum()),
        "own_held": float((own & asked).sum()),
    }


def cl_dice(counts: Mapping[str, float]) -> float:
    """clDice of two masks from their :func:`line_counts`, 0..1 (Shit et al., "clDice - a novel
    topology-preserving loss function for tubular structure segmentation", CVPR 2021): the harmonic
    mean of the share of the refined mask's skeleton within the asked mask, and of the asked one's
    within the refined mask."""
    if not counts["line_held"] or not counts["own_held"]:
        return 0.0
    precision = counts["own_held"] / counts["own"]
    sensitivity = counts["line_held"] / counts["line"]
    return 2 * precision * sensitivity / (precision + sensitivity)
