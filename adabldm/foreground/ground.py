"""Which of two regions is the ground that the object lies on, if that can be told at all.

Three signs: the ground holds the corners of the picture, has more of the border than of the
picture, and is plainer than the object. One sign alone is deceived (a plate that fills the lower
third of each picture, a part on rough wood), so two have to agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion, label

from adabldm.foreground.places import ring
from adabldm.foreground.regions import Regions, shows_both

MOST_CORNERS = 2.5
"""Corners of a picture that only the ground holds, on average."""

BORDER = 0.15
"""Difference of the regions' border shares over their areas, in logarithms, that is a sign ..."""

PLAINER = 0.4
"""... and of their grey levels' deviations."""

FAR_PLAINER, HARDLY = 1.2, 0.4
"""A ground that is so much plainer is known by that, if the border says less against it."""

SEVERAL, TIMES = 4, 3
"""Ground in so many parts, and so many times as many as the object's, may be the objects."""

FLOOR = 3.0
"""Grey levels by which nothing is plainer than anything: a camera's noise."""


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What speaks for a region being the object, in the median picture.

    ``corners`` that it holds (0..4); ``border``: how much less of the border than of the area it
    has; ``plainness``: how much plainer the rest is; ``parts`` of the region and of the rest.
    """

    corners: float
    border: float
    plainness: float
    parts: tuple[float, float]


def _grey(image: np.ndarray, height: int, width: int) -> np.ndarray:
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def _deviation(pixels: np.ndarray, region: np.ndarray) -> float:
    inner = binary_erosion(region, iterations=2)
    chosen = pixels[inner if inner.any() else region]
    return float(np.sqrt(chosen.var(axis=0).mean())) + FLOOR


def _of_picture(image: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    border = ring(*mask.shape)
    enriched = [np.log(max(side[border].mean(), 1e-3) / side.mean()) for side in (mask, ~mask)]
    pixels = _grey(image, *mask.shape)
    rougher, rest = _deviation(pixels, mask), _deviation(pixels, ~mask)
    return (
        float(mask[[0, 0, -1, -1], [0, -1, 0, -1]].sum()),
        enriched[1] - enriched[0],
        np.log(rougher / rest),
        label(mask)[1],
        label(~mask)[1],
    )


def signs(images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> Signs:
    """Of masks (h, w) in their pictures, uint8 (H, W, 3); some shows both sides."""
    rows = [
        _of_picture(image, mask)
        for image, mask in zip(images, masks, strict=True)
        if shows_both(mask)
    ]
    _, border, plainness, own, rest = np.median(rows, axis=0)
    corners = float(np.mean([row[0] for row in rows]))
    return Signs(
        corners=corners, border=border, plainness=plainness, parts=(float(own), float(rest))
    )


def is_object(told: Signs) -> bool:
    """Whether the region of which ``told`` is surely is the object."""
    if told.parts[1] >= max(SEVERAL, TIMES * told.parts[0]):
        return False
    if told.corners <= 4 - MOST_CORNERS:
        return told.border >= BORDER and told.plainness > -max(FAR_PLAINER, 2 * told.border)
    if told.corners >= MOST_CORNERS:
        return False
    if told.border >= BORDER and told.plainness >= PLAINER:
        return True
    return told.plainness >= FAR_PLAINER and told.border > -HARDLY


def object_first(regions: Regions, images: Sequence[np.ndarray]) -> Regions | None:
    """``regions`` turned so that the object is inside; None if it cannot be told which it is."""
    if not any(shows_both(mask) for mask in regions.masks):
        return None
    for one in (regions, regions.turned()):
        if is_object(signs(images, one.masks)):
            return one
    return None
