"""The grain of a surface: which way its lines run, if they run one way.

From the structure tensor (Bigun and Granlund, 1987) of the whole picture, in which strong edges
count no more than grain does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from adabldm.core import images

SIDE = 512
"""Pictures are looked at with no side longer than this, in pixels."""

STRONG = 0.9
"""Quantile of the gradients beyond which a stronger one counts no more."""

COHERENT = 0.4
"""Coherence from which a surface has a grain: 0 is none or all ways, 1 are lines."""


@dataclass(frozen=True)
class Grain:
    """The ``angle`` across the lines in degrees, clockwise from the right, of 180; how
    ``coherent`` they are, 0 to 1."""

    angle: float
    coherent: float

    def or_else(self, other: Grain) -> Grain:
        """This grain, or the ``other`` if this is none."""
        return self if self.coherent >= COHERENT else other

    def turn_to(self, other: Grain) -> float | None:
        """By how many degrees, counter-clockwise and of 180, what has this grain is turned into
        that of ``other``; None if either has none."""
        if min(self.coherent, other.coherent) < COHERENT:
            return None
        return (self.angle - other.angle) % 180


def grain_of(picture: np.ndarray) -> Grain:
    """The grain of uint8 (H, W, 3)."""
    height, width = picture.shape[:2]
    ratio = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    small = Image.fromarray(picture).resize(size, Image.Resampling.BOX)
    values = gaussian_filter(images.grey(np.asarray(small)).astype(np.float32), 1)
    if min(values.shape) < 2:
        return Grain(0.0, 0.0)
    down, across = np.gradient(values)
    strength = np.hypot(down, across)
    most = float(np.quantile(strength, STRONG))
    share = np.minimum(1, most / np.maximum(strength, 1e-6))
    down, across = down * share, across * share
    apart = float((across**2 - down**2).mean())
    mixed = 2 * float((across * down).mean())
    total = float((across**2 + down**2).mean())
    if not total:
        return Grain(0.0, 0.0)
    return Grain(math.degrees(math.atan2(mixed, apart)) / 2 % 180, math.hypot(apart, mixed) / total)


def common_grain(grains: Sequence[Grain]) -> Grain:
    """The grain that pictures have together: none if theirs run different ways."""
    if not grains:
        return Grain(0.0, 0.0)
    mean = np.mean([one.coherent * np.exp(2j * np.radians(one.angle)) for one in grains])
    return Grain(math.degrees(float(np.angle(mean))) / 2 % 180, float(np.abs(mean)))
