"""Where the object is in a good picture, and whether there is one at all.

A first, honest form for plain backgrounds: the background has the colour of the picture's border,
the object is what differs from it, cut at the level whose outline follows the strongest edges
(a soft shadow is left out, a dim side is kept). A picture whose border looks like its centre is a
texture, or an object that fills the picture; both are "all object".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import (
    binary_closing,
    binary_erosion,
    binary_opening,
    gaussian_filter,
    gaussian_gradient_magnitude,
    label,
)
from skimage.color import rgb2lab
from skimage.filters import threshold_otsu

WORKING_SIDE = 256
"""Pictures are looked at with at most this many pixels on the longer side."""

RING = 0.03
"""Width of the border, as a share of the shorter side."""

MOST_BORDER = 0.2
"""An object's picture shows it on at most this share of the border."""

LEAST_SEPARATION = 0.75
"""Otsu's criterion (between-class over total variance, 0..1) that an object's picture reaches."""

LEAST_CONTRAST = 5.0
"""Difference between object and background, in CIELAB units, below which nothing is there."""

LEVELS = np.linspace(0.3, 1.5, 13)
"""Levels at which an object is tried to be cut out, as multiples of Otsu's threshold."""

LEAST_COMPONENT = 0.2
"""Parts smaller than this share of the largest are crumbs, not the object."""

CLOSING = 3
"""Bites into the outline up to about twice this many working pixels are closed."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A picture split by its distance from the border's colour.

    ``distance`` is (h, w), CIELAB units, at the working size; ``threshold`` is Otsu's;
    ``noise`` is the border's own distance (90th percentile); ``border_share`` is the part of the
    border beyond the threshold; ``separation`` is Otsu's criterion; ``contrast`` is the
    difference of the two sides' means.
    """

    distance: np.ndarray
    threshold: float
    noise: float
    border_share: float
    separation: float
    contrast: float

    @property
    def shows_object(self) -> bool:
        return (
            self.border_share <= MOST_BORDER
            and self.separation >= LEAST_SEPARATION
            and self.contrast >= LEAST_CONTRAST
        )


def look(image: np.ndarray) -> View:
    """Split uint8 (H, W, 3) into what looks like its border and what does not."""
    picture = Image.fromarray(image)
    ratio = min(1.0, WORKING_SIDE / max(picture.size))
    width, height = (max(8, round(side * ratio)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BOX)
    lab = gaussian_filter(rgb2lab(np.asarray(picture)), (1, 1, 0))
    width_of_ring = max(1, round(RING * min(height, width)))
    ring = np.ones((height, width), bool)
    ring[width_of_ring:-width_of_ring, width_of_ring:-width_of_ring] = False
    distance = np.linalg.norm(lab - np.median(lab[ring], axis=0), axis=2)
    threshold = float(threshold_otsu(distance))
    differs = distance > threshold
    share = float(differs.mean())
    contrast = float(distance[differs].mean() - distance[~differs].mean()) if share else 0.0
    return View(
        distance=distance,
        threshold=threshold,
        noise=float(np.percentile(distance[ring], 90)),
        border_share=float(differs[ring].mean()),
        separation=share * (1 - share) * contrast**2 / float(distance.var()) if share else 0.0,
        contrast=contrast,
    )


def is_texture(images: Sequence[np.ndarray]) -> bool:
    """Whether most of these pictures (uint8 (H, W, 3), a few of one product) show no object."""
    return 2 * sum(look(image).shows_object for image in images) <= len(images)


def _without_holes(mask: np.ndarray) -> np.ndarray:
    """``mask`` with every gap filled that does not reach the border; bool (h, w)."""
    gaps, _ = label(~np.pad(mask, 1))
    filled: np.ndarray = gaps[1:-1, 1:-1] != gaps[0, 0]
    return filled


def _without_crumbs(mask: np.ndarray) -> np.ndarray:
    parts, count = label(mask)
    if count == 0:
        return mask
    areas = np.bincount(parts.ravel())[1:]
    kept: np.ndarray = np.isin(parts, np.flatnonzero(areas >= LEAST_COMPONENT * areas.max()) + 1)
    return kept


def _cut_out(view: View) -> np.ndarray:
    """The object as bool (h, w), cut at the level whose outline has the steepest slope."""
    slope = gaussian_gradient_magnitude(view.distance, 1)
    best, steepest = view.distance > view.threshold, -1.0
    for level in LEVELS * view.threshold:
        mask = _without_crumbs(_without_holes(binary_opening(view.distance > level)))
        outline = mask & ~binary_erosion(mask)
        if level < view.noise or not outline.any():
            continue
        mean = float(slope[outline].mean())
        if mean > steepest:
            best, steepest = mask, mean
    padded = binary_closing(np.pad(best, CLOSING), iterations=CLOSING)
    inner = slice(CLOSING, -CLOSING)
    return _without_holes(padded[inner, inner])


def object_mask(image: np.ndarray) -> np.ndarray:
    """The object of uint8 (H, W, 3): uint8 (H, W) of 0 / 255, holes filled, crumbs dropped.

    All 255 when nothing differs from the border.
    """
    height, width = image.shape[:2]
    view = look(image)
    if view.contrast < LEAST_CONTRAST:
        return np.full((height, width), 255, np.uint8)
    small = Image.fromarray(np.uint8(_cut_out(view)) * 255)
    smooth = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
    return np.where(smooth > 127, 255, 0).astype(np.uint8)
