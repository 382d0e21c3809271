"""Drawn pictures of what lies elsewhere than a single part in the middle, each with its object."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

Shape = tuple[np.ndarray, np.ndarray]
"""Where the object is, bool (size, size), and a coordinate by which it may be shaded."""
Draw = Callable[[np.random.Generator, np.ndarray, np.ndarray], Shape]
Paint = Callable[[np.random.Generator, np.ndarray], np.ndarray]

SCENES: dict[str, tuple[str, ...]] = {
    "objects": (
        "rod", "grainy rod", "shaded rod", "faint rod", "rod on a rough ground", "strip", "plate",
        "corner", "washers", "several parts",
    ),
    "doubtful": ("flat plate", "plate with holes", "parts that fill the picture", "camouflage"),
    "textures": ("vignette", "gradient", "bands", "spots", "brushed"),
}  # fmt: skip
"""What :func:`draw_scene` draws, by what it is to be taken for."""


def draw_scene(name: str, count: int, size: int = 192) -> list[tuple[np.ndarray, np.ndarray]]:
    """``count`` pairs of uint8 (size, size, 3) and bool (size, size), the object, of one of
    :data:`SCENES`; it lies elsewhere in each picture. A texture is all object."""
    return [_draw(name, np.random.default_rng(seed), size) for seed in range(count)]


def _draw(name: str, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    shape, ground, thing = _RECIPES[name]
    rows, cols = np.mgrid[:size, :size].astype(float)
    truth, along = shape(rng, rows, cols)
    grey = np.where(truth, thing(rng, along), ground(rng, along))
    picture = grey[..., None] + rng.normal(0, 2, (size, size, 3))
    return np.uint8(np.clip(picture, 0, 255)), truth


def _rod(rng: np.random.Generator, rows: np.ndarray, cols: np.ndarray) -> Shape:
    middle = len(rows) / 2
    off = rows - middle - rng.integers(-25, 25) - (cols - middle) * rng.uniform(-0.3, 0.3)
    return np.abs(off) < 28, off / 29


def _strip(rng: np.random.Generator, rows: np.ndarray, cols: np.ndarray) -> Shape:
    off = (cols - len(rows) / 2 - rng.integers(-10, 10)) / (0.38 * len(rows))
    return np.abs(off) < 1, off


def _plate(rng: np.random.Generator, rows: np.ndarray, cols: np.ndarray) -> Shape:
    angle = rng.uniform(-0.3, 0.3)
    off = (cols * np.cos(angle) + rows * np.sin(angle)) / len(rows)
    return off < rng.uniform(0.55, 0.75), off


def _corner(rng: np.random.Generator, rows: np.ndarray, cols: np.ndarray) -> Shape:
    right, down = rng.uniform(0.5, 0.8, 2) * len(rows)
    return (cols < right) & (rows < down), cols / right


def _discs(at: tuple[float, ...], radius: float, hole: float = 0, jitter: int = 7) -> Draw:
    """A grid of discs, or rings."""

    def draw(rng: np.random.Generator, rows: np.ndarray, cols: np.ndarray) -> Shape:
        truth = np.zeros(rows.shape, bool)
        for y in at:
            for x in at:
                down, right = rng.integers(-jitter, jitter, 2)
                far = np.hypot(rows - y * len(rows) - down, cols - x * len(rows) - right)
                truth |= (far < radius) & (far >= hole)
        return truth, np.zeros(rows.shape)

    return draw


def _pierced_plate(rng: np.random.Generator, rows: np.ndarray, cols: np.ndarray) -> Shape:
    holes, off = _discs((0.2, 0.75), 20, jitter=4)(rng, rows, cols)
    return ~holes & (cols < 0.94 * len(rows)), off


def _all(rng: np.random.Generator, rows: np.ndarray, cols: np.ndarray) -> Shape:
    del rng
    return np.ones(rows.shape, bool), np.hypot(rows - rows.mean(), cols - cols.mean()) / len(rows)


def _clouds(rng: np.random.Generator, size: int, width: float, depth: float) -> np.ndarray:
    clouds: np.ndarray = gaussian_filter(rng.normal(size=(size, size)), width)
    return clouds / clouds.std() * depth


def _grain(grey: float, depth: float = 0, width: float = 1.2) -> Paint:
    return lambda rng, along: grey + _clouds(rng, len(along), width, depth)


def _shaded(rng: np.random.Generator, off: np.ndarray) -> np.ndarray:
    return 60 + 170 * np.sqrt(np.clip(1 - off**2, 0, 1))


def _camouflage(rng: np.random.Generator, along: np.ndarray) -> np.ndarray:
    return 120 + 40 * np.tanh(_clouds(rng, len(along), 14, 3))


def _vignette(rng: np.random.Generator, far: np.ndarray) -> np.ndarray:
    return (150 + _clouds(rng, len(far), 1.2, 10)) * (1 - far**2)


def _gradient(rng: np.random.Generator, along: np.ndarray) -> np.ndarray:
    return (120 + _clouds(rng, len(along), 1.2, 9)) * np.linspace(0.5, 1.5, len(along))


def _bands(rng: np.random.Generator, along: np.ndarray) -> np.ndarray:
    wave = np.sin(np.arange(len(along)) / rng.uniform(8, 30) + rng.uniform(0, 6))
    return 130 + _clouds(rng, len(along), 1.2, 10) + 40 * wave


def _spots(rng: np.random.Generator, along: np.ndarray) -> np.ndarray:
    return 130 + _clouds(rng, len(along), 1.2, 10) + _clouds(rng, len(along), 10, 30)


def _brushed(rng: np.random.Generator, along: np.ndarray) -> np.ndarray:
    return 140 + gaussian_filter(rng.normal(size=along.shape), (0.5, 25)) * 60


_DARK, _BRIGHT = _grain(60, 5), _grain(190, 6)
_PARTS = 22
_RECIPES: dict[str, tuple[Draw, Paint, Paint]] = {
    "rod": (_rod, _DARK, _BRIGHT),
    "grainy rod": (_rod, _grain(120), _grain(175, 14)),
    "shaded rod": (_rod, _DARK, _shaded),
    "faint rod": (_rod, _DARK, _grain(92, 5)),
    "rod on a rough ground": (_rod, _grain(100, 16, 2), _BRIGHT),
    "strip": (_strip, _grain(250), _grain(60, 14)),
    "plate": (_plate, _DARK, _grain(150, 20)),
    "corner": (_corner, _DARK, _BRIGHT),
    "washers": (_discs((0.27, 0.73), 36, hole=14), _DARK, _BRIGHT),
    "several parts": (_discs((0.16, 0.5, 0.84), _PARTS), _DARK, _BRIGHT),
    "flat plate": (_plate, _grain(200), _grain(60)),
    "plate with holes": (_pierced_plate, _DARK, _BRIGHT),
    "parts that fill the picture": (_discs((0, 0.33, 0.67, 1), _PARTS), _DARK, _BRIGHT),
    "camouflage": (_all, _DARK, _camouflage),
    "vignette": (_all, _DARK, _vignette),
    "gradient": (_all, _DARK, _gradient),
    "bands": (_all, _DARK, _bands),
    "spots": (_all, _DARK, _spots),
    "brushed": (_all, _DARK, _brushed),
}
