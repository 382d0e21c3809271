"""Parts of a picture to which defects are confined: polygons, or a mask of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.draw import polygon as polygon_pixels

LEAST_CORNERS = 3


class RegionFault(ValueError):
    """A region that cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """``polygons``: corners (x, y) as shares 0..1 of a picture's width and height; and ``mask``,
    (H, W), non-zero inside, brought to any picture's size. The region is all they cover.

    Raises :class:`RegionFault`.
    """

    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        for corners in self.polygons:
            if len(corners) < LEAST_CORNERS:
                raise RegionFault(f"polygons: {len(corners)} corners: at least 3 are needed")
            for corner in corners:
                if not all(0 <= part <= 1 for part in corner):
                    raise RegionFault(f"polygons: {corner}: lies outside the picture")
        if not self.polygons and (self.mask is None or not self.mask.any()):
            raise RegionFault("mask: has no pixel that is not 0")

    def pixels(self, height: int, width: int) -> np.ndarray:
        """The region in a picture, bool (height, width)."""
        inside = np.zeros((height, width), bool)
        for corners in self.polygons:
            x, y = np.array(corners).T
            # A pixel belongs to a polygon if its centre does.
            inside[polygon_pixels(y * height - 0.5, x * width - 0.5, (height, width))] = True
        if self.mask is not None:
            drawn = Image.fromarray(np.uint8(self.mask > 0) * 255)
            inside |= np.asarray(drawn.resize((width, height), Image.Resampling.NEAREST)) > 0
        return inside


def in_shares(
    corners: Sequence[Sequence[float]], width: float = 1, height: float = 1
) -> tuple[tuple[float, float], ...]:
    """Corners (x, y) in pixels of a picture of (``width``, ``height``), as shares of it."""
    return tuple((float(x) / width, float(y) / height) for x, y in corners)
