"""Defect masks beyond the few real ones: drawn from noise, or between two real ones.

Both keep to the real masks' sizes: what is new is the outline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from adabldm.core.morphology import largest_part, without_crumbs
from adabldm.placement import transform

LARGER = (0.8, 1.25)
"""How much smaller or larger than its model a drawn defect is, each side."""
DRAWINGS = 8
"""Drawings of which the one nearest to its model's area is kept."""
COARSE, FINE = 0.22, 0.07
"""Sizes of the noise's two octaves, as shares of the box's shorter side."""
THIN = 0.12
"""A defect whose half width is below this share of its length is a line."""
LEAST_PART = 0.1
"""Parts smaller than this share of the largest are dropped."""
BETWEEN = (0.25, 0.75)
"""How far from one real mask to the other a mask in between is."""
MARGIN = 4


@dataclass(frozen=True)
class Extent:
    """Sizes of a real mask's defect: ``height`` and ``width`` of its box and ``area``, in pixels,
    ``half_width`` the largest distance of its pixels from its outline."""

    height: int
    width: int
    area: int
    half_width: float

    @classmethod
    def of(cls, mask: np.ndarray) -> Extent:
        """Measure (H, W), non-zero on the defect."""
        shape = mask[transform.bounding_box(mask)] > 0
        deepest = distance_transform_edt(np.pad(shape, 1)).max()
        return cls(shape.shape[0], shape.shape[1], int(shape.sum()), float(deepest))

    @property
    def is_line(self) -> bool:
        return self.half_width < THIN * math.hypot(self.height, self.width)


def noise_mask(rng: np.random.Generator, real: np.ndarray) -> np.ndarray:
    """A mask drawn from noise in the size of ``real``: uint8 (H, W) of 0 / 255.

    Smooth noise of two octaves is cut where it leaves the real defect's area: what lies high for
    a blob, what lies along the zero line for a crack or a scratch. Both are (H, W), ``real``
    non-zero on its defect.
    """
    extent = Extent.of(real)
    height, width = (
        min(limit, max(1, round(side * math.exp(rng.uniform(*np.log(LARGER))))))
        for side, limit in zip((extent.height, extent.width), real.shape, strict=True)
    )
    wanted = extent.area * height * width / (extent.height * extent.width)
    drawings = [_drawing(rng, height, width, wanted, extent.is_line) for _ in range(DRAWINGS)]
    best = min(drawings, key=lambda shape: abs(math.log(shape.sum() / wanted)))
    return _centred(best, real.shape[0], real.shape[1])


def _drawing(
    rng: np.random.Generator, height: int, width: int, area: float, line: bool
) -> np.ndarray:
    """A connected shape of about ``area`` pixels in a box, bool (height, width)."""
    rows, cols = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    field = _noise(rng, height, width)
    if line:
        turn = rng.uniform(0, 2 * math.pi)
        across = rows * math.cos(turn) + cols * math.sin(turn)
        score = -np.abs(field + 2 * across)
    else:
        score = 0.6 * field - 1.5 * (rows**2 + cols**2)
    share = min(1.0, area / (height * width))
    return largest_part(score >= np.quantile(score, 1 - share), neighbours=8)


def _noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Smooth noise of two octaves, (height, width), standard deviation 1."""
    side = min(max(height, width), 4 * min(height, width))
    field = np.zeros((height, width))
    for size, weight in ((COARSE, 1.0), (FINE, 0.35)):
        octave = gaussian_filter(rng.standard_normal((height, width)), max(0.7, size * side))
        field += weight * octave / (octave.std() + 1e-9)
    return field / (field.std() + 1e-9)


def morphed_mask(rng: np.random.Generator, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A mask between two real ones: uint8 (H, W) of 0 / 255, ``one``'s size.

    Both are centred and ``other`` is turned to lie along ``one``; between their signed distances
    the outline is put where the area is the one in between. ``other`` of another picture size is
    first brought to ``one``'s. Both are non-zero on their defect.
    """
    first = one[transform.bounding_box(one)] > 0
    ratio = min(one.shape[0] / other.shape[0], one.shape[1] / other.shape[1])
    second = transform.turned_shape(other, _along(first, other), ratio)
    side = MARGIN + max(*first.shape, *second.shape)
    canvases = [_centred(shape, side, side) > 0 for shape in (first, second)]
    share = rng.uniform(*BETWEEN)
    area = (1 - share) * canvases[0].sum() + share * canvases[1].sum()
    distances = [_signed_distance(canvas) for canvas in canvases]
    between = (1 - share) * distances[0] + share * distances[1]
    shape = between >= np.quantile(between, 1 - area / between.size)
    shape = without_crumbs(shape, LEAST_PART, neighbours=8)
    shape = shape[transform.bounding_box(shape)]
    return _centred(shape[: one.shape[0], : one.shape[1]], one.shape[0], one.shape[1])


def _axis(shape: np.ndarray) -> float:
    """Direction of a shape's longest extent in degrees, as ``rotate`` counts."""
    rows, cols = np.nonzero(shape)
    spread = np.cov(np.stack([rows, cols]).astype(float), bias=True)
    _, vectors = np.linalg.eigh(spread)
    return math.degrees(math.atan2(-vectors[0, -1], vectors[1, -1]))


def _along(first: np.ndarray, other: np.ndarray) -> float:
    return _axis(first) - _axis(other > 0)


def _signed_distance(shape: np.ndarray) -> np.ndarray:
    """Distance from the outline in pixels, positive inside."""
    inside: np.ndarray = distance_transform_edt(shape)
    outside: np.ndarray = distance_transform_edt(~shape)
    return inside - outside


def _centred(shape: np.ndarray, height: int, width: int) -> np.ndarray:
    canvas = np.zeros((height, width), np.uint8)
    top, left = (height - shape.shape[0]) // 2, (width - shape.shape[1]) // 2
    canvas[top : top + shape.shape[0], left : left + shape.shape[1]][shape > 0] = 255
    return canvas
