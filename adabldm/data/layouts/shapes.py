"""Shapes of annotation files as masks.

Coordinates are pixels from the picture's upper left corner, which is (0, 0); the first pixel's
middle is (0.5, 0.5). A pixel is marked if its middle is inside. Masks are bool (H, W).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from skimage import draw

LEAST_LINE = 3
LINES_IN_SIDE = 256
"""A line, which has no width of its own, is this part of the picture's shorter side wide, and at
least :data:`LEAST_LINE` pixels."""


class ShapeFault(ValueError):
    """A shape that marks no area; the message says why."""


def points_of(numbers: object) -> np.ndarray:
    """Pairs of finite numbers, or the same in one row, as float (N, 2) of x, y."""
    try:
        points = np.asarray(numbers, np.float64)
        points = points.reshape(-1, 2)
    except (TypeError, ValueError):
        raise ShapeFault("its points must be pairs of numbers") from None
    if not len(points) or not np.isfinite(points).all():
        raise ShapeFault("its points must be pairs of numbers")
    return points


def polygon(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """What is inside ``points`` (N, 2); of one less than a pixel wide its outline, too."""
    if len(points) < 3:
        raise ShapeFault(f"is a polygon of {len(points)} points, must have 3")
    mask = np.zeros(shape, bool)
    x, y = points.T
    mask[draw.polygon(y - 0.5, x - 0.5, shape)] = True
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    around = float(np.hypot(*(points - np.roll(points, 1, axis=0)).T).sum())
    return mask | lines(np.vstack([points, points[:1]]), shape, 1) if area < around / 2 else mask


def rectangle(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The upright rectangle round ``points``."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return polygon(corners, shape)


def circle(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Round the first point, through the second."""
    if len(points) != 2:
        raise ShapeFault(f"is a circle of {len(points)} points, must have 2")
    radius = max(float(np.hypot(*(points[1] - points[0]))), 0.75)
    x, y = points[0] - 0.5
    mask = np.zeros(shape, bool)
    mask[draw.disk((y, x), radius, shape=shape)] = True
    return mask


def lines(points: np.ndarray, shape: tuple[int, int], width: int | None = None) -> np.ndarray:
    """Lines from point to point, ``width`` pixels wide."""
    if len(points) < 2:
        raise ShapeFault("is a line of one point, must have 2")
    wide = width or max(LEAST_LINE, round(min(shape) / LINES_IN_SIDE))
    image = Image.new("1", shape[::-1])
    path: Sequence[tuple[float, float]] = [(x, y) for x, y in np.floor(points)]
    ImageDraw.Draw(image).line(path, fill=1, width=wide, joint="curve")
    return np.array(image)


def stamp(part: np.ndarray, corner: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The mask ``part``, bool (h, w), with its upper left pixel at ``corner`` (x, y)."""
    x, y = (int(number) for number in np.floor(corner))
    height, width = part.shape
    if x < 0 or y < 0 or y + height > shape[0] or x + width > shape[1]:
        raise ShapeFault(f"is not inside its picture of {shape[1]} x {shape[0]} pixels")
    mask = np.zeros(shape, bool)
    mask[y : y + height, x : x + width] = part
    return mask


def run_lengths(counts: object, size: object, shape: tuple[int, int]) -> np.ndarray:
    """COCO's run lengths, column by column, as numbers or as COCO's text of them."""
    if not (isinstance(size, list) and size == list(shape)):
        raise ShapeFault(f"is of size {size}, its picture of {list(shape)} (height, width)")
    if isinstance(counts, str):
        counts = _from_text(counts)
    if not isinstance(counts, list) or not all(isinstance(n, int) and n >= 0 for n in counts):
        raise ShapeFault("its run lengths must be numbers, or COCO's text of them")
    if sum(counts) != shape[0] * shape[1]:
        raise ShapeFault(f"its run lengths are of {sum(counts)} pixels, not {shape[0] * shape[1]}")
    marks = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return marks.reshape(shape[1], shape[0]).T


def _from_text(text: str) -> list[int]:
    """Five bits a letter from ``0`` on, a sixth for more; from the third on, differences to the
    number before the last."""
    counts: list[int] = []
    value, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            raise ShapeFault(f"its run lengths hold {letter!r}, which COCO's text has not")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    return counts
