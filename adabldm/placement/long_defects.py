"""Long thin defects in parts: a scratch across a picture is drawn piece by piece at the picture's
own scale, because shrunk to one window it would be thinner than a model can draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from adabldm.placement.windows import CONTEXT, window_side

THIN = 8.0
"""Pixels of the model: a defect that would be narrower in a shrunk window is not shrunk."""

SHARE = 3 / 4
"""Of a window's side: the longest that a part may be, so that there is ground around it."""


@dataclass(frozen=True)
class Parts:
    """Defects by number from 1 on, int32 (H, W), and which of them are thin: they need little
    ground around them, and are not to be shrunk."""

    numbers: np.ndarray
    thin: frozenset[int]


def in_parts(defects: np.ndarray, size: int) -> Parts:
    """``defects`` (:func:`adabldm.placement.windows.defects_of`) for a model of ``size``, where
    the thin ones are cut up. A function of these alone."""
    numbers, thin = defects, set()
    following = int(defects.max(initial=0)) + 1
    shorter = min(defects.shape)
    for number, box in enumerate(find_objects(defects), 1):
        if box is None:
            continue
        longer = max(side.stop - side.start for side in box)
        shrink = window_side(longer, size, CONTEXT, shorter) / size
        own = defects[box] == number
        if shrink <= 1 or _width(own) / shrink >= THIN:
            continue
        if numbers is defects:
            numbers = defects.copy()
        cells = _cells(own.shape, size)
        for cell in np.unique(cells[own]).tolist():
            numbers[box][own & (cells == cell)] = following
            thin.add(following)
            following += 1
    return Parts(numbers, frozenset(thin))


def _width(own: np.ndarray) -> float:
    """The width of a long stripe with the area and the outline, in pixel edges, of bool (h, w)."""
    edges = sum(
        np.count_nonzero(one != other) + np.count_nonzero(rim)
        for one, other, rim in (
            (own[1:], own[:-1], own[[0, -1]]),
            (own[:, 1:], own[:, :-1], own[:, [0, -1]]),
        )
    )
    return 2 * float(np.count_nonzero(own)) / edges


def _cells(shape: tuple[int, ...], size: int) -> np.ndarray:
    """A box (h, w) in equal cells of at most :data:`SHARE` of a window, by number."""
    longest = SHARE * size
    counts = [math.ceil(length / longest) for length in shape]
    rows, cols = (
        np.arange(length) * count // length for length, count in zip(shape, counts, strict=True)
    )
    numbered: np.ndarray = rows[:, None] * counts[1] + cols[None, :]
    return numbered
