"""Where the object is in the good pictures of one product, and whether there is one at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from adabldm.border_colour import is_texture, object_mask

__all__ = ["ForegroundPredictor", "Surface", "fit", "is_texture", "object_mask"]

Surface = Literal["object", "texture"]


@dataclass(frozen=True, kw_only=True)
class ForegroundPredictor:
    """Object masks for one product's pictures; ``surface`` says whether it has an outline."""

    surface: Surface

    def mask(self, image: np.ndarray) -> np.ndarray:
        """The object of uint8 (H, W, 3): uint8 (H, W) of 0 / 255, without holes.

        A texture is all 255.
        """
        if self.surface == "texture":
            return np.full(image.shape[:2], 255, np.uint8)
        return object_mask(image)


def fit(images: Sequence[np.ndarray]) -> ForegroundPredictor:
    """Learn one product's foreground from a few dozen good pictures, uint8 (H, W, 3) each."""
    return ForegroundPredictor(surface="texture" if is_texture(images) else "object")
