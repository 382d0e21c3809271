"""A mask's connected parts, each an instance of a defect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, label

EIGHT_NEIGHBOURS = np.ones((3, 3), int)


@dataclass(frozen=True)
class MaskPart:
    """``pixels`` bool (h, w) of one part, whose upper left corner is at ``top``, ``left``."""

    pixels: np.ndarray
    top: int
    left: int

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.pixels))

    @property
    def box(self) -> list[int]:
        """x, y, width, height in pixels."""
        height, width = self.pixels.shape
        return [self.left, self.top, width, height]

    def inside(self, shape: tuple[int, int]) -> np.ndarray:
        """The part alone, bool, in its whole picture of ``shape``."""
        whole = np.zeros(shape, bool)
        height, width = self.pixels.shape
        whole[self.top : self.top + height, self.left : self.left + width] = self.pixels
        return whole


def parts_of(mask: np.ndarray) -> Iterator[MaskPart]:
    """The parts of (H, W), connected by edges or corners, from the top."""
    labels, _ = label(mask != 0, EIGHT_NEIGHBOURS)
    for number, box in enumerate(find_objects(labels), 1):
        yield MaskPart(labels[box] == number, box[0].start, box[1].start)
