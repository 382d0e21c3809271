"""Drawn bolts on a plain ground, turned and moved, whose tips are chipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from adabldm.core import images

SIDE = 160
HEAD, SHANK, TIP = (-52, -34), (-34, 40), (40, 56)
"""From and to along the axis, which the middle of the picture divides."""


def _along(points: list[tuple[float, float]], turn: float, at: tuple[float, float]) -> list:
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return [(at[0] + x * cos - y * sin, at[1] + x * sin + y * cos) for x, y in points]


def _pose(seed: int) -> tuple[float, tuple[float, float]]:
    rng = np.random.default_rng(seed)
    return float(rng.uniform(0, 360)), (
        float(SIDE / 2 + rng.uniform(-12, 12)),
        float(SIDE / 2 + rng.uniform(-12, 12)),
    )


def bolt(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (SIDE, SIDE, 3), and where the bolt is, bool (SIDE, SIDE)."""
    turn, at = _pose(seed)
    outline = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(outline)
    for corners in (
        [(HEAD[0], -24), (HEAD[1], -24), (HEAD[1], 24), (HEAD[0], 24)],
        [(SHANK[0], -10), (SHANK[1], -10), (SHANK[1], 10), (SHANK[0], 10)],
        [(TIP[0], -10), (TIP[1], 0), (TIP[0], 10)],
    ):
        draw.polygon(_along([(float(x), float(y)) for x, y in corners], turn, at), fill=255)
    inside = np.asarray(outline) > 127
    soft = np.asarray(outline.filter(ImageFilter.GaussianBlur(0.7)), np.float32) / 255
    noise = np.random.default_rng(seed).normal(0, 3, (SIDE, SIDE))
    grey = 200 - 120 * soft + noise
    return np.uint8(np.clip(grey, 0, 255))[..., None].repeat(3, axis=2), inside


def tip_of(seed: int) -> tuple[float, float]:
    """Row and column of the middle of the tip."""
    ((column, row),) = _along([(50.0, 0.0)], *_pose(seed))
    return row, column


def chipped(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bolt whose tip is missing, and the mask of that, a disc that reaches beyond it:
    uint8 (SIDE, SIDE, 3), bool (SIDE, SIDE)."""
    picture, inside = bolt(seed)
    row, column = tip_of(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    mask = np.hypot(rows - row, columns - column) < 10
    ground = np.random.default_rng(seed + 1).normal(200, 3, (SIDE, SIDE, 1)).clip(0, 255)
    picture[mask & inside] = ground[mask & inside].astype(np.uint8)
    return picture, mask


def bolts(root: Path, *, good: int = 8, real: int = 6) -> Path:
    """A data set in MVTec AD layout."""
    for seed in range(good):
        _write(root / f"train/good/{seed}.png", bolt(seed)[0])
    for seed in range(100, 100 + real):
        picture, mask = chipped(seed)
        _write(root / f"test/chip/{seed}.png", picture)
        _write(root / f"ground_truth/chip/{seed}_mask.png", mask.astype(np.uint8) * 255)
    return root


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.encode_png(pixels))
