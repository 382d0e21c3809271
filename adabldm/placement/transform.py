"""Where a defect goes: a mask's shape, turned, scaled and set down (paper, section III-B).

A placement is a recipe; the same recipe over the same mask renders the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.signal import fftconvolve

ANGLES = (0.0, 360.0)
SCALES = (0.85, 1.15)
"""Between which angles (degrees) and scales are drawn."""

QUICK_TRIES = 64
"""Positions that are guessed before all of them are computed."""


class PlacementFault(ValueError):
    """A recipe that cannot be carried out, or a defect that fits nowhere on the object."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """``angle`` in degrees, ``scale`` > 0 of the mask's own pixels, ``top`` / ``left`` in pixels
    of the rendered shape's bounding box. Raises :class:`PlacementFault` for values outside."""

    angle: float
    scale: float
    top: int
    left: int

    def __post_init__(self) -> None:
        if not math.isfinite(self.angle):
            raise PlacementFault(f"angle: {self.angle}: is not a number of degrees")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise PlacementFault(f"scale: {self.scale}: is not above 0")


def bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the smallest box that holds every non-zero pixel.

    Raises :class:`PlacementFault` if there is none.
    """
    if not mask.any():
        raise PlacementFault("the defect mask is empty")
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def turn(patch: np.ndarray, angle: float, scale: float) -> np.ndarray:
    """Scale, then rotate by ``angle`` degrees; uint8 (h, w[, 3]), enlarged to hold the corners."""
    picture = Image.fromarray(patch)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BOX)
    return np.asarray(picture.rotate(angle, Image.Resampling.BILINEAR, expand=True))


def solid(turned: np.ndarray) -> np.ndarray:
    """The defect in a turned mask, bool (h, w)."""
    # A line one pixel wide keeps about half of its value when it is turned between pixels.
    return turned >= min(96, max(1, int(turned.max())))


def turned_shape(mask: np.ndarray, angle: float, scale: float) -> np.ndarray:
    """The mask's defect, rotated and scaled, as a tight bool (h, w).

    ``mask`` is (H, W), non-zero on the defect. Raises :class:`PlacementFault` if it is empty.
    """
    shape = solid(turn((mask[bounding_box(mask)] > 0).astype(np.uint8) * 255, angle, scale))
    if not shape.any():
        raise PlacementFault(f"scale: {scale}: leaves nothing of the defect mask")
    return shape[bounding_box(shape)]


def _largest_scale(mask: np.ndarray, angle: float, height: int, width: int) -> float:
    """The scale at which the turned mask just fits into (height, width)."""
    shape = turned_shape(mask, angle, 1.0)
    return min(height / (shape.shape[0] + 2), width / (shape.shape[1] + 2))


def _surely_fits(mask: np.ndarray, scale: float, height: int, width: int) -> bool:
    """Whether the mask fits into (height, width) however it is turned."""
    rows, cols = bounding_box(mask)
    diagonal = math.hypot(rows.stop - rows.start + 1, cols.stop - cols.start + 1)
    return scale * (diagonal + 6) <= min(height, width)


def positions(shape: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """All (top, left) at which ``shape`` lies wholly inside ``foreground``, int (K, 2)."""
    if shape.shape[0] > foreground.shape[0] or shape.shape[1] > foreground.shape[1]:
        return np.empty((0, 2), int)
    outside = (foreground == 0).astype(np.float32)
    overlap = fftconvolve(outside, shape[::-1, ::-1].astype(np.float32), mode="valid")
    return np.argwhere(overlap < 0.5)


def _draw_position(
    rng: np.random.Generator, shape: np.ndarray, foreground: np.ndarray
) -> tuple[int, int] | None:
    """One of :func:`positions`, each with the same chance; None if there is none."""
    if not foreground.any():
        return None
    box = bounding_box(foreground)
    inside = foreground[box]
    rows, cols = (f - s + 1 for f, s in zip(inside.shape, shape.shape, strict=True))
    if rows < 1 or cols < 1 or np.count_nonzero(shape) > np.count_nonzero(inside):
        return None
    # A guess costs a look at one window, the whole answer a convolution of the picture; guessing
    # over all windows keeps every fitting position equally likely.
    for _ in range(QUICK_TRIES):
        top, left = int(rng.integers(rows)), int(rng.integers(cols))
        if inside[top : top + shape.shape[0], left : left + shape.shape[1]][shape].all():
            return box[0].start + top, box[1].start + left
    found = positions(shape, inside)
    if not len(found):
        return None
    top, left = found[rng.integers(len(found))]
    return box[0].start + int(top), box[1].start + int(left)


def place(
    rng: np.random.Generator,
    mask: np.ndarray,
    foreground: np.ndarray,
    *,
    tries: int = 12,
) -> Placement:
    """Draw a placement of ``mask`` (its own size) inside ``foreground`` (H, W), uniformly.

    Both are non-zero inside; a texture's foreground is all ones. A mask of another picture size
    is first brought to this picture's; a shape larger than the picture is shrunk to fit.
    Raises :class:`PlacementFault` when ``tries`` turns fit nowhere.
    """
    height, width = foreground.shape
    base = min(height / mask.shape[0], width / mask.shape[1])
    for _ in range(tries):
        angle = float(rng.uniform(*ANGLES))
        scale = base * float(rng.uniform(*SCALES))
        if not _surely_fits(mask, scale, height, width):
            scale = min(scale, _largest_scale(mask, angle, height, width))
        shape = turned_shape(mask, angle, scale)
        found = _draw_position(rng, shape, foreground)
        if found is not None:
            return Placement(angle=angle, scale=scale, top=found[0], left=found[1])
    raise PlacementFault(f"the defect fits nowhere on the object in {tries} turns")


def refuse_too_long(mask: np.ndarray, placement: Placement, height: int, width: int) -> None:
    """Raise :class:`PlacementFault` if the scaled mask cannot lie in a (height, width) picture.

    Asked before a shape is drawn: a scale of a million would fill the memory.
    """
    rows, cols = bounding_box(mask)
    longest = max(rows.stop - rows.start, cols.stop - cols.start) * placement.scale
    if longest > math.hypot(height, width) + 2:
        raise PlacementFault(
            f"scale: {placement.scale}: the shape is longer than the {height} x {width} picture"
        )


def refuse_outside(size: tuple[int, int], placement: Placement, height: int, width: int) -> None:
    """Raise :class:`PlacementFault` if a shape of ``size`` leaves a (height, width) picture."""
    bottom, right = placement.top + size[0], placement.left + size[1]
    if placement.top < 0 or placement.left < 0 or bottom > height or right > width:
        raise PlacementFault(
            f"rows {placement.top}..{bottom}, columns {placement.left}..{right} "
            f"leave the {height} x {width} picture"
        )


def render(mask: np.ndarray, placement: Placement, height: int, width: int) -> np.ndarray:
    """The placed defect mask: uint8 (height, width) of 0 / 255.

    Raises :class:`PlacementFault` if the mask is empty or the shape leaves the picture.
    """
    return render_all([(mask, placement)], height, width)


def render_all(
    parts: Iterable[tuple[np.ndarray, Placement]], height: int, width: int
) -> np.ndarray:
    """All of several placed defects, (mask, placement) each, in one mask; as :func:`render`."""
    canvas = np.zeros((height, width), np.uint8)
    for mask, where in parts:
        refuse_too_long(mask, where, height, width)
        shape = turned_shape(mask, where.angle, where.scale)
        refuse_outside(shape.shape, where, height, width)
        rows = slice(where.top, where.top + shape.shape[0])
        cols = slice(where.left, where.left + shape.shape[1])
        canvas[rows, cols][shape] = 255
    return canvas
