"""Drawn plates of two kinds of ground, plain and striped, whose defects lie on one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adabldm.core import images

SIDE = 96


def plate(seed: int, *, grain: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (SIDE, SIDE, 3), and where it is striped, bool (SIDE, SIDE): a half, another one each
    time. Without a ``grain`` that half is rough instead."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    grey = 128 + rng.normal(0, 4, (SIDE, SIDE))
    striped = (rows if seed % 2 else cols) < SIDE // 2
    if seed % 4 > 1:
        striped = ~striped
    rough = np.sign(np.sin((rows + cols) * np.pi / 4)) if grain else rng.choice([-1, 1], grey.shape)
    grey += np.where(striped, 45 * rough, 0)
    return np.uint8(np.clip(grey, 0, 255))[..., None].repeat(3, axis=2), striped


def plates(
    root: Path, *, real: int = 6, good: int = 8, anywhere: bool = False, grain: bool = True
) -> Path:
    """A data set in MVTec AD layout whose ``real`` pits lie on stripes, or ``anywhere``."""
    for seed in range(good):
        _write(root / f"train/good/{seed}.png", plate(seed, grain=grain)[0])
    for seed in range(real):
        picture, striped = plate(100 + seed, grain=grain)
        rng = np.random.default_rng(seed)
        inner = striped if not anywhere or rng.integers(2) else ~striped
        places = np.argwhere(inner[8:-14, 8:-14])
        top, left = places[rng.integers(len(places))] + 8
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[top : top + 5, left : left + 5] = 255
        picture[mask > 0] = 10
        _write(root / f"test/pit/{seed}.png", picture)
        _write(root / f"ground_truth/pit/{seed}_mask.png", mask)
    return root


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.encode_png(pixels))
