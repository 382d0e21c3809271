"""An object's outline, moved from a coarse guess to the picture's own edge.

Region competition with local means (Lankton and Tannenbaum, "Localizing region-based active
contours", 2008), as alternating steps: around every place the object and the ground have a colour
of their own, and a pixel belongs to the nearer of the two. So a slow shadow is no edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import binary_opening, gaussian_filter, label

LEAST_COMPONENT = 0.2
"""Parts smaller than this share of the largest are crumbs, not the object."""

DARK = 16.0
"""Grey levels that are added before the logarithm, in which light and shade are sums."""

REACH = 3.0
"""Standard deviation of the neighbourhood, in cells."""

NEAR = 0.02
"""A pixel may change sides where object and ground each have this share of the neighbourhood."""

SETTLED = 2e-4
"""Steps end when less than this share of the pixels changes sides."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """At most ``steps`` on the picture at ``side`` pixels, with a neighbourhood of ``REACH``
    cells where ``cells`` make up the longer side."""

    side: int
    cells: int
    steps: int


PASSES = (
    Pass(side=256, cells=32, steps=3),
    Pass(side=256, cells=64, steps=3),
    Pass(side=512, cells=128, steps=2),
    Pass(side=512, cells=256, steps=2),
)


def without_holes(mask: np.ndarray) -> np.ndarray:
    """``mask`` with every gap filled that does not reach the border; bool (h, w)."""
    gaps, _ = label(~np.pad(mask, 1))
    filled: np.ndarray = gaps[1:-1, 1:-1] != gaps[0, 0]
    return filled


def without_crumbs(mask: np.ndarray) -> np.ndarray:
    """``mask`` without its small parts, bool (h, w)."""
    parts, count = label(mask)
    if count <= 1:
        return mask
    areas = np.bincount(parts.ravel())[1:]
    kept: np.ndarray = np.isin(parts, np.flatnonzero(areas >= LEAST_COMPONENT * areas.max()) + 1)
    return kept


def cleaned(mask: np.ndarray) -> np.ndarray:
    """``mask`` without specks, holes and crumbs, bool (h, w)."""
    return without_crumbs(without_holes(binary_opening(mask)))


def resized(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """bool (h, w) to bool (height, width), with smooth outlines."""
    if mask.shape == (height, width):
        return mask
    cells = torch.from_numpy(mask.astype(np.float32))[None, None]
    large = F.interpolate(cells, (height, width), mode="bilinear", align_corners=False)[0, 0]
    return (large > 0.5).numpy()


def _shrunk(image: np.ndarray, side: int) -> torch.Tensor:
    """uint8 (H, W, 3) to the logarithm of its pixels, float (3, h, w), with h, w <= side."""
    height, width = image.shape[:2]
    ratio = min(1.0, side / max(height, width))
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    picture = Image.fromarray(image).resize(size, Image.Resampling.BOX)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().add_(DARK).log_()


def _step(pixels: torch.Tensor, mask: torch.Tensor, cells: int) -> torch.Tensor:
    """One assignment of every pixel (3, h, w) to the nearer local mean; ``mask`` float (h, w)."""
    height, width = mask.shape
    cell = max(1, round(max(height, width) / cells))
    size = max(1, height // cell), max(1, width // cell)
    inside = pixels * mask
    sums = torch.cat([inside, pixels - inside, mask[None], 1 - mask[None]])
    blurred = gaussian_filter(
        F.interpolate(sums[None], size, mode="area")[0].numpy(), (0, REACH, REACH)
    )
    share = blurred[6:8]
    thing = blurred[:3] / np.maximum(share[0], 1e-4)
    ground = blurred[3:6] / np.maximum(share[1], 1e-4)
    # Nearer to `thing` than to `ground`: the projection on their difference is above a half.
    axis = thing - ground
    axis /= np.maximum((axis**2).sum(axis=0), 1e-4)
    offset = (ground * axis).sum(axis=0)
    local = np.concatenate([axis, offset[None], share.min(axis=0)[None]])
    fields = F.interpolate(
        torch.from_numpy(local)[None], (height, width), mode="bilinear", align_corners=False
    )[0]
    nearness = (pixels * fields[:3]).sum(0) - fields[3]
    smooth = F.avg_pool2d(nearness[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    return torch.where(fields[4] > NEAR, (smooth > 0.5).float(), mask)


def refine(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Move ``mask``, a coarse bool (h, w) of any size, to the edges of uint8 (H, W, 3).

    Returns bool (H, W) without holes or crumbs; empty if nothing stays.
    """
    height, width = image.shape[:2]
    pixels = torch.empty(0)
    shrunk_to = 0
    for stage in PASSES:
        if stage.side != shrunk_to:
            pixels, shrunk_to = _shrunk(image, stage.side), stage.side
        rows, cols = pixels.shape[1:]
        state = torch.from_numpy(resized(mask, rows, cols)).float()
        for _ in range(stage.steps):
            before, state = state, _step(pixels, state, stage.cells)
            if float((before != state).float().mean()) < SETTLED:
                break
        mask = cleaned(state.numpy() > 0.5)
        if not mask.any():
            return np.zeros((height, width), bool)
    return resized(mask, height, width)
