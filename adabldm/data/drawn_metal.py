"""Drawn surfaces: brushed metal with simple defects, for demos, tests and training variety.

Everything here is computed from a seed, so a test or a demo needs no image file of anyone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from skimage.draw import disk, ellipse, line_aa

DEFECTS = ("crack", "blowhole", "scratch")


@dataclass(frozen=True, kw_only=True)
class DrawnPart:
    """A drawn surface: ``image`` uint8 (H, W, 3); ``mask`` uint8 (H, W) of 0 / 255."""

    image: np.ndarray
    mask: np.ndarray


def draw_surface(seed: int, size: int = 128) -> np.ndarray:
    """A grey brushed-metal surface, float32 (size, size) in [0, 1], without defects."""
    rng = np.random.default_rng([seed, 0])
    x = np.linspace(-1, 1, size)
    level = rng.uniform(0.3, 0.62)
    shade = np.polyval(rng.normal(0, [0.03, 0.05, 0.05, 0]), x)[None, :]
    streaks = gaussian_filter1d(rng.normal(size=(size, size)), size * 0.12, axis=0)
    streaks = gaussian_filter1d(streaks, 0.6, axis=1)
    streaks /= streaks.std()
    clouds = gaussian_filter(rng.normal(size=(size, size)), size * 0.08)
    clouds /= clouds.std()
    grain = gaussian_filter(rng.normal(size=(size, size)), 0.7)
    grain /= grain.std()
    surface = (
        level
        + shade
        + rng.uniform(0.01, 0.035) * streaks
        + rng.uniform(0.005, 0.02) * clouds
        + rng.uniform(0.004, 0.012) * grain
    )
    edge = rng.integers(2, max(3, size // 24))
    falloff = np.clip((1 - np.abs(x)) * size / 2 / edge, 0, 1)[None, :]
    surface = surface * (0.35 + 0.65 * falloff)
    return np.clip(surface, 0, 1).astype(np.float32)


def _crack(rng: np.random.Generator, size: int) -> np.ndarray:
    """Opacity of a thin random walk, float (size, size) in [0, 1]."""
    alpha = np.zeros((size, size))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = rng.uniform(0.25, 0.75, size=2) * size
    for _ in range(rng.integers(5, 11)):
        angle += rng.normal(0, 0.35)
        length = rng.uniform(0.03, 0.07) * size
        y2, x2 = y + length * np.sin(angle), x + length * np.cos(angle)
        rows, cols, value = line_aa(int(y), int(x), int(y2), int(x2))
        inside = (rows >= 0) & (rows < size) & (cols >= 0) & (cols < size)
        alpha[rows[inside], cols[inside]] = np.maximum(
            alpha[rows[inside], cols[inside]], value[inside]
        )
        y, x = y2, x2
    return np.clip(gaussian_filter(alpha, size / 150) * 2.6, 0, 1)


def _blowhole(rng: np.random.Generator, size: int) -> np.ndarray:
    alpha = np.zeros((size, size))
    for _ in range(rng.integers(1, 4)):
        y, x = rng.uniform(0.2, 0.8, size=2) * size
        a, b = rng.uniform(0.012, 0.04, size=2) * size
        rows, cols = ellipse(y, x, a, b, shape=alpha.shape, rotation=rng.uniform(-np.pi, np.pi))
        alpha[rows, cols] = 1
    if not alpha.any():
        alpha[disk((size // 2, size // 2), max(2, size // 40), shape=alpha.shape)] = 1
    return gaussian_filter(alpha, size / 200)


def _scratch(rng: np.random.Generator, size: int) -> np.ndarray:
    alpha = np.zeros((size, size))
    angle, half = rng.uniform(0, np.pi), rng.uniform(0.08, 0.2) * size
    y, x = rng.uniform(0.3, 0.7, size=2) * size
    dy, dx = half * np.sin(angle), half * np.cos(angle)
    rows, cols, value = line_aa(int(y - dy), int(x - dx), int(y + dy), int(x + dx))
    inside = (rows >= 0) & (rows < size) & (cols >= 0) & (cols < size)
    alpha[rows[inside], cols[inside]] = value[inside]
    return np.clip(gaussian_filter(alpha, size / 150) * 2.6, 0, 1)


def draw_part(
    seed: int, size: int = 128, defect: str | None = None, *, extent: int | None = None
) -> DrawnPart:
    """Draw a surface, with one defect of :data:`DEFECTS` or none.

    The defect is as large as it would be on a surface of ``extent`` pixels a side (default
    ``size``), which lies somewhere on this one. Raises ``ValueError`` for an unknown defect, or an
    ``extent`` above ``size``.
    """
    extent = size if extent is None else extent
    if not 1 <= extent <= size:
        raise ValueError(f"extent: {extent}: must be in 1..{size}")
    surface = draw_surface(seed, size)
    rng = np.random.default_rng([seed, 1])
    if defect is None:
        drawn = np.zeros((extent, extent))
        tone = 0.0
    elif defect == "crack":
        drawn, tone = _crack(rng, extent), rng.uniform(0.02, 0.12)
    elif defect == "blowhole":
        drawn, tone = _blowhole(rng, extent), rng.uniform(0.03, 0.15)
    elif defect == "scratch":
        drawn, tone = _scratch(rng, extent), rng.uniform(0.85, 1.0)
    else:
        raise ValueError(f"defect: {defect!r} is not one of {', '.join(DEFECTS)}")
    top, left = rng.integers(0, size - extent + 1, size=2)
    alpha = np.zeros((size, size))
    alpha[top : top + extent, left : left + extent] = drawn
    grey = surface * (1 - alpha) + tone * alpha
    levels = (np.clip(grey, 0, 1) * 255).astype(np.uint8)
    image = np.repeat(levels[..., None], 3, axis=2)
    return DrawnPart(image=image, mask=(alpha > 0.25).astype(np.uint8) * 255)
