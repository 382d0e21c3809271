"""Textures in the shape of Perlin noise, as DRAEM spoils good pictures (Zavrtanik et al.,
ICCV 2021)."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from adabldm.core import images
from adabldm.placement.transform import bounding_box

COARSEST = 6
"""Cells of the noise along a side are a power of 2 up to this one."""
MOST_SEEN_THROUGH = 0.8
"""Share of the good picture that may show through a texture (DRAEM's beta)."""
CHANGES = 3
"""Of a texture, drawn among :data:`AUGMENTERS` (DRAEM)."""


def noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Perlin noise (1985), turned by any angle: float (height, width), about -1..1."""
    rows, cols = (2 ** int(rng.integers(0, COARSEST)) for _ in range(2))
    side = int(np.ceil(np.hypot(height, width)))
    plain = Image.fromarray(_square(rng, side, rows, cols))
    turned = plain.rotate(float(rng.uniform(-90, 90)), Image.Resampling.BILINEAR)
    top, left = (side - height) // 2, (side - width) // 2
    return np.asarray(turned)[top : top + height, left : left + width]


def _square(rng: np.random.Generator, side: int, rows: int, cols: int) -> np.ndarray:
    """float32 (side, side) of noise with so many cells."""
    angles = rng.uniform(0, 2 * np.pi, (rows + 1, cols + 1))
    slopes = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    y, x = (np.arange(side) * (count / side) for count in (rows, cols))
    at_y, at_x = np.floor(y).astype(int)[:, None], np.floor(x).astype(int)[None]
    in_y, in_x = y[:, None] - at_y, x[None] - at_x

    def corner(down: int, right: int) -> np.ndarray:
        slope = slopes[at_y + down, at_x + right]
        return slope[..., 0] * (in_y - down) + slope[..., 1] * (in_x - right)

    soft_y, soft_x = (t**3 * (t * (6 * t - 15) + 10) for t in (in_y, in_x))
    upper = corner(0, 0) * (1 - soft_x) + corner(0, 1) * soft_x
    lower = corner(1, 0) * (1 - soft_x) + corner(1, 1) * soft_x
    both = upper * (1 - soft_y) + lower * soft_y
    return (np.sqrt(2) * both).astype(np.float32)


def _gamma(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    gamma = float(np.exp(rng.uniform(np.log(0.5), np.log(2))))
    return picture.point([round(255 * (value / 255) ** gamma) for value in range(256)] * 3)


def _brightness(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    factors, shift = rng.uniform(0.8, 1.2, 3), rng.uniform(-30, 30)
    bent = np.asarray(picture, np.float32) * factors + shift
    return Image.fromarray(np.clip(bent, 0, 255).astype(np.uint8))


AUGMENTERS = (
    _gamma,
    _brightness,
    lambda rng, picture: ImageEnhance.Sharpness(picture).enhance(float(rng.uniform(1, 3))),
    lambda rng, picture: ImageOps.solarize(picture, int(rng.integers(32, 128))),
    lambda rng, picture: ImageOps.posterize(picture, int(rng.integers(2, 6))),
    lambda rng, picture: ImageOps.invert(picture),  # noqa: ARG005
    lambda rng, picture: ImageOps.autocontrast(picture),  # noqa: ARG005
    lambda rng, picture: ImageOps.equalize(picture),  # noqa: ARG005
    lambda rng, picture: picture.rotate(float(rng.uniform(-45, 45)), Image.Resampling.BILINEAR),
)


def augmented(rng: np.random.Generator, texture: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) changed in some of DRAEM's ways."""
    picture = Image.fromarray(texture)
    for number in rng.permutation(len(AUGMENTERS))[:CHANGES]:
        picture = AUGMENTERS[number](rng, picture)
    return np.asarray(picture)


def blend(
    rng: np.random.Generator, good: np.ndarray, texture: np.ndarray, shape: np.ndarray
) -> np.ndarray:
    """``good``, uint8 (H, W, 3), with an augmented ``texture`` of its size over bool ``shape``
    (H, W); some of the good picture shows through, and a grey one gets a grey texture."""
    through = rng.uniform(0, MOST_SEEN_THROUGH)
    spoiled, changed = good.copy(), augmented(rng, texture)
    if (good == good[..., :1]).all():
        changed = images.coloured(images.grey(changed))
    mixed = through * good[shape] + (1 - through) * changed[shape]
    spoiled[shape] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return spoiled


def shape_at(rng: np.random.Generator, asked: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Perlin noise in the box of the mask ``asked`` and of its area, where ``inside`` allows it:
    bool (H, W) all three."""
    box = bounding_box(asked)
    field = noise(rng, *asked[box].shape)
    allowed = inside[box] if inside[box].any() else asked[box]
    count = min(int(asked[box].sum()), int(allowed.sum()))
    order = np.argsort(np.where(allowed, -field, np.inf), axis=None, kind="stable")
    found = np.zeros(field.size, bool)
    found[order[:count]] = True
    shape = np.zeros(asked.shape, bool)
    shape[box] = found.reshape(field.shape)
    return shape
