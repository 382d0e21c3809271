"""Windows of training examples: those of generation, with more or less around a defect."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from adabldm.core import trimap
from adabldm.placement import windows
from adabldm.placement.windows import Window

AS_GENERATED = 0.5
"""Share of windows that have as much around their defect as generation gives it."""

CONTEXTS = (1.5, 8.0)
"""The others' sides, over the longer side of their defect's box."""

SHIFT = 1 / 4
"""A window is moved by up to this share of its side."""

GUESSES = 32
"""Pixels that are tried before those of the object are listed."""


def cut(
    rng: np.random.Generator, image: np.ndarray, marks: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """A window of uint8 (H, W, 3) and its trimap (H, W): uint8 (S, S, 3) and (S, S), S ``size``.

    Around one of its defects, or, if it has none, around some pixel of its object. Every defect
    that the window shows is marked.
    """
    defects = windows.defects_of(marks)
    around = _around_a_defect if defects.any() else _around_the_object
    window = around(rng, marks, defects, size)
    return windows.cut_picture(image, window), windows.cut_trimap(marks, defects, window)


def _around_a_defect(
    rng: np.random.Generator, marks: np.ndarray, defects: np.ndarray, size: int
) -> Window:
    found = windows.windows_of(defects, size, context=_context(rng))
    window = found[int(rng.integers(len(found)))]
    shape = marks.shape
    own = np.isin(defects[window.inside(*shape)], window.parts)
    top, left = (
        _moved(rng, start, window.side, length, max(0, start) + np.flatnonzero(own.any(other)))
        for start, length, other in ((window.top, shape[0], 1), (window.left, shape[1], 0))
    )
    moved = replace(window, top=top, left=left)
    shown = np.unique(defects[moved.inside(*shape)])
    return replace(moved, parts=tuple(int(number) for number in shown if number))


def _context(rng: np.random.Generator) -> float:
    if rng.random() < AS_GENERATED:
        return windows.CONTEXT
    low, high = (math.log(value) for value in CONTEXTS)
    return math.exp(rng.uniform(low, high))


def _moved(rng: np.random.Generator, start: int, side: int, length: int, shown: np.ndarray) -> int:
    """Where a window begins along an axis of ``length`` pixels when it is moved within the picture,
    but not off the pixels ``shown``."""
    if side >= length:
        return start
    reach = int(SHIFT * side)
    first = max(0, start - reach, int(shown[-1]) + 1 - side)
    last = min(length - side, start + reach, int(shown[0]))
    return int(rng.integers(first, last + 1))


def _around_the_object(
    rng: np.random.Generator, marks: np.ndarray, defects: np.ndarray, size: int
) -> Window:
    del defects
    shorter = min(marks.shape)
    side = size
    if shorter > size and rng.random() >= AS_GENERATED:
        side = round(math.exp(rng.uniform(math.log(size), math.log(shorter))))
    top, left = (
        -((side - length) // 2) if side >= length else min(max(0, at - side // 2), length - side)
        for at, length in zip(_pixel_of_object(rng, marks), marks.shape, strict=True)
    )
    return Window(top, left, side, size, ())


def _pixel_of_object(rng: np.random.Generator, marks: np.ndarray) -> tuple[int, int]:
    height, width = marks.shape
    for _ in range(GUESSES):
        row, col = int(rng.integers(height)), int(rng.integers(width))
        if marks[row, col] != trimap.BACKGROUND:
            return row, col
    rows, cols = np.nonzero(marks != trimap.BACKGROUND)
    chosen = int(rng.integers(len(rows)))
    return int(rows[chosen]), int(cols[chosen])
