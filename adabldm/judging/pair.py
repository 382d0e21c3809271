"""Figures that tell whether a pair is good."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter
from skimage.metrics import structural_similarity

VISIBLE_LEVELS = 8.0
"""A defect is visible if the image differs from the good one by this many grey levels inside the
mask (mean absolute difference) ..."""
VISIBLE_RATIO = 3.0
"""... and by this many times more than outside."""

ROWS = 64
"""How many rows :func:`pair_quality` looks at together."""

SEAM_REACH = 2.0
"""Standard deviation in pixels of the surroundings that :func:`seam_step` compares."""


def psnr(a: np.ndarray, b: np.ndarray, where: np.ndarray | None = None) -> float:
    """PSNR in dB of uint8 (H, W, 3), only where bool (H, W) if given; 100 if equal, or nowhere."""
    if where is None:
        where = np.ones(a.shape[:2], bool)
    if not where.any():
        return 100.0
    error = (a[where].astype(np.float64) - b[where].astype(np.float64)) / 255
    mse = float(np.square(error).mean())
    return 100.0 if mse == 0 else min(100.0, float(-10 * np.log10(mse)))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of uint8 (H, W, 3) of at least 11 pixels a side, mean over pixels and
    channels (Wang et al., "Image quality assessment", 2004: Gaussian windows of 1.5 pixels)."""
    return float(
        structural_similarity(
            a,
            b,
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def background_psnr(image: np.ndarray, good: np.ndarray, mask: np.ndarray) -> float:
    """PSNR in dB outside the defect: images uint8 (H, W, 3), mask (H, W), non-zero inside.

    100 where they are equal or nothing lies outside.
    """
    return psnr(image, good, mask == 0)


def foreground_psnr(image: np.ndarray, before: np.ndarray, mask: np.ndarray) -> float:
    """PSNR in dB of the defect against the image before adaptation; as :func:`background_psnr`."""
    return psnr(image, before, mask != 0)


def seam_jump(image: np.ndarray, before: np.ndarray, mask: np.ndarray) -> float:
    """How sharply adaptation cuts along the mask's edge, in grey levels.

    The change that adaptation made is compared between the two pixels of every pair that the edge
    parts: the root mean square of the differences. Images uint8 (H, W, 3), mask (H, W).
    """
    change = image.astype(np.float64) - before.astype(np.float64)
    inside = mask != 0
    jumps = [np.square(np.diff(change, axis=axis))[np.diff(inside, axis=axis)] for axis in (0, 1)]
    pairs = np.concatenate(jumps)
    return float(np.sqrt(pairs.mean())) if len(pairs) else 0.0


def seam_step(image: np.ndarray, before: np.ndarray, mask: np.ndarray) -> float:
    """How much adaptation makes the two sides of the mask's edge differ in tone, in grey levels.

    At each pixel of a ring about the edge the mean change of the surroundings inside the mask is
    compared with that outside, in Gaussian windows of :data:`SEAM_REACH`: the root mean square.
    """
    change = image.astype(np.float64) - before.astype(np.float64)
    inside = mask != 0
    if not inside.any() or inside.all():
        return 0.0

    def mean_within(where: np.ndarray) -> np.ndarray:
        weight = gaussian_filter(where.astype(np.float64), SEAM_REACH)
        total = gaussian_filter(change * where[..., None], (SEAM_REACH, SEAM_REACH, 0))
        return total / np.maximum(weight, 1e-6)[..., None]

    ring = binary_dilation(inside) & binary_dilation(~inside)
    steps = (mean_within(inside) - mean_within(~inside))[ring]
    return float(np.sqrt(np.square(steps).mean()))


def fine_detail(image: np.ndarray, mask: np.ndarray) -> float:
    """How crisp the defect is, in grey levels: the root mean square, inside the mask, of what a
    Gaussian of one pixel takes away. uint8 (H, W, 3), mask (H, W); 0 for an empty mask."""
    pixels = image.astype(np.float64)
    detail = (pixels - gaussian_filter(pixels, (1, 1, 0)))[mask != 0]
    return float(np.sqrt(np.square(detail).mean())) if len(detail) else 0.0


def pair_quality(image: np.ndarray, good: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """``background_psnr_db``, ``defect_change`` and ``background_change`` (mean absolute
    difference in grey levels), and ``defect_visible`` (1.0 or 0.0, by the two constants above).

    Images uint8 (H, W, 3), mask (H, W), non-zero inside. Looked at row by row where they differ, in
    whole numbers, so that a picture of many megapixels takes no memory.
    """
    channels, inside = image.shape[2], int(np.count_nonzero(mask))
    defect = background = squares = 0
    for top in range(0, len(image), ROWS):
        rows = slice(top, top + ROWS)
        if np.array_equal(image[rows], good[rows]):
            continue
        change = np.abs(image[rows].astype(np.int32) - good[rows])
        marked = mask[rows] != 0
        defect += int(change[marked].sum(dtype=np.int64))
        background += int(change[~marked].sum(dtype=np.int64))
        squares += int(np.square(change[~marked]).sum(dtype=np.int64))
    outside = mask.size - inside
    figures = {
        "background_psnr_db": _psnr_of(squares / (outside * channels) if outside else 0.0),
        "defect_change": defect / (inside * channels) if inside else 0.0,
        "background_change": background / (outside * channels) if outside else 0.0,
    }
    change_inside, change_outside = figures["defect_change"], figures["background_change"]
    visible = change_inside >= VISIBLE_LEVELS and change_inside >= VISIBLE_RATIO * change_outside
    return figures | {"defect_visible": float(visible)}


def _psnr_of(mean_square: float) -> float:
    """PSNR in dB of a mean squared difference in grey levels; 100 at most."""
    return min(100.0, -10 * math.log10(mean_square / 255**2)) if mean_square else 100.0
