"""Figures that tell whether a pair is good."""

from __future__ import annotations

import numpy as np

VISIBLE_LEVELS = 8.0
"""A defect is visible if the image differs from the good one by this many grey levels inside the
mask (mean absolute difference) ..."""
VISIBLE_RATIO = 3.0
"""... and by this many times more than outside."""


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Absolute difference in grey levels, float (H, W), mean over the channels."""
    return np.abs(a.astype(np.float32) - b.astype(np.float32)).mean(axis=2)


def background_psnr(image: np.ndarray, good: np.ndarray, mask: np.ndarray) -> float:
    """PSNR in dB outside the defect: images uint8 (H, W, 3), mask (H, W), non-zero inside.

    100 where they are equal or nothing lies outside.
    """
    outside = mask == 0
    if not outside.any():
        return 100.0
    error = (image[outside].astype(np.float64) - good[outside].astype(np.float64)) / 255
    mse = float(np.square(error).mean())
    return 100.0 if mse == 0 else min(100.0, float(-10 * np.log10(mse)))


def pair_quality(image: np.ndarray, good: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """``background_psnr_db``, ``defect_change`` and ``background_change`` (mean absolute
    difference in grey levels), and ``defect_visible`` (1.0 or 0.0, by the two constants above)."""
    difference = _difference(image, good)
    inside, outside = mask > 0, mask == 0
    defect = float(difference[inside].mean()) if inside.any() else 0.0
    background = float(difference[outside].mean()) if outside.any() else 0.0
    visible = defect >= VISIBLE_LEVELS and defect >= VISIBLE_RATIO * background
    return {
        "background_psnr_db": background_psnr(image, good, mask),
        "defect_change": defect,
        "background_change": background,
        "defect_visible": float(visible),
    }
