"""Pseudo-defects: a real defect's pixels turned, scaled and pasted on a good image
(paper, section III-C), the training pairs of the control branch."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

from adabldm import placement


def _ring_mean(image: np.ndarray, mask: np.ndarray, width: int = 3) -> np.ndarray:
    ring = binary_dilation(mask, iterations=width) & ~mask
    return image[ring].mean(axis=0) if ring.any() else image.reshape(-1, 3).mean(axis=0)


def paste(
    rng: np.random.Generator,
    good: np.ndarray,
    defective: np.ndarray,
    mask: np.ndarray,
    foreground: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Paste the defect of ``defective`` at a random place of ``good``.

    Images are uint8 (H, W, 3) of one size; masks (H, W), non-zero inside. The tone around the
    defect is carried over to the new place, and its border is softened by a pixel.
    Returns the pasted image, uint8 (H, W, 3), and its mask, uint8 (H, W) of 0 / 255.
    """
    where = placement.place(rng, mask, foreground)
    height, width = good.shape[:2]
    placed = placement.render(mask, where, height, width) > 0
    box = placement.bounding_box(mask > 0)
    inside = (mask[box] > 0).astype(np.uint8) * 255
    tight = placement.bounding_box(
        placement.solid(placement.turn(inside, where.angle, where.scale))
    )
    patch = placement.turn(defective[box], where.angle, where.scale)[tight].astype(np.float32)
    canvas = good.astype(np.float32)
    rows = slice(where.top, where.top + patch.shape[0])
    cols = slice(where.left, where.left + patch.shape[1])
    patch += _ring_mean(good, placed) - _ring_mean(defective, mask > 0)
    pasted = canvas.copy()
    pasted[rows, cols] = patch
    alpha = np.clip(gaussian_filter(placed.astype(np.float32), 0.6) * 1.5, 0, 1)
    alpha = np.where(placed, np.maximum(alpha, 0.6), 0)[..., None]
    blended = canvas * (1 - alpha) + pasted * alpha
    return np.clip(blended, 0, 255).astype(np.uint8), placed.astype(np.uint8) * 255
