"""Pictures of a drawn disc on a drawn ground, with the disc's own mask."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.draw import disk

Colour = tuple[int, int, int]


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return float(((mask > 0) & truth).sum() / ((mask > 0) | truth).sum())


def draw_objects(
    count: int,
    *,
    ground: Colour,
    thing: Colour,
    noise: float = 3,
    grain: float = 0,
    shadow: float = 0,
    cut: bool = False,
    size: int = 192,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """``count`` pairs of uint8 (size, size, 3) and bool (size, size); a disc each, elsewhere in
    each picture; cut by the left border if ``cut``, with a soft shadow to its right."""
    drawn = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        truth = np.zeros((size, size), bool)
        row, col = rng.integers(70, size - 70, 2)
        truth[disk((row, 30 if cut else col), 48, shape=truth.shape)] = True
        dark = gaussian_filter(np.roll(truth, 9, axis=1).astype(float), 5)[..., None] * shadow
        picture = np.where(truth[..., None], np.array(thing, float), np.array(ground) - dark)
        clouds = gaussian_filter(rng.normal(size=(size, size)), 1.5)
        picture += (clouds / clouds.std() * grain)[..., None] + rng.normal(0, noise, picture.shape)
        drawn.append((np.uint8(np.clip(picture, 0, 255)), truth))
    return drawn
