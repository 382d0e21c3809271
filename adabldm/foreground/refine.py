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
from scipy.ndimage import (
    binary_fill_holes,
    binary_opening,
    distance_transform_edt,
    gaussian_filter,
)

from adabldm.core.morphology import without_crumbs

LEAST_COMPONENT = 0.2
"""Parts smaller than this share of the largest are crumbs, not the object."""

DARK = 16.0
"""Grey levels that are added before the logarithm, in which light and shade are sums."""

REACH = 2.0
"""Standard deviation of the neighbourhood, in cells."""

MARGIN = 3.0
"""Pixels further than this from the object's box, in such deviations, are left out."""

NEAR = 0.05
"""A pixel may change sides where object and ground each have this share of the neighbourhood."""

CORE = 0.042
"""Places this far inside the coarse guess, as a share of the longer side, are object if ..."""

BITE = 1 / 16
"""... a bite of the outline holds them that is no wider than twice this share."""

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
    Pass(side=256, cells=32, steps=6),
    Pass(side=256, cells=64, steps=4),
    Pass(side=512, cells=128, steps=2),
)


def cleaned(mask: np.ndarray) -> np.ndarray:
    """``mask`` without specks, holes and crumbs, bool (h, w)."""
    filled = binary_fill_holes(binary_opening(mask))
    return without_crumbs(filled, LEAST_COMPONENT, neighbours=4)


def resized(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """bool (h, w) to bool (height, width), with smooth outlines."""
    if mask.shape == (height, width):
        return mask
    cells = torch.from_numpy(mask.astype(np.float32))[None, None]
    large = F.interpolate(cells, (height, width), mode="bilinear", align_corners=False)[0, 0]
    return (large > 0.5).numpy()


class _View:
    """A picture at one size, cut to a box: its pixels' logarithms, (C, h, w), and local sums."""

    def __init__(self, image: np.ndarray, side: int, cells: int, box: tuple[slice, slice]) -> None:
        height, width = image.shape[:2]
        self.cell = max(1, round(min(side, max(height, width)) / cells))
        pixels = torch.from_numpy(image[box]).float().add_(DARK).log_().permute(2, 0, 1)
        if (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
            pixels = pixels[:1]
        # Smoothed here once: nearness below is linear in the pixels.
        self.pixels = F.avg_pool2d(pixels[None], 3, 1, 1, count_include_pad=False)[0]
        self.total = self._local(pixels)
        self.all = self._local(torch.ones_like(pixels[:1]))

    def _local(self, values: torch.Tensor) -> np.ndarray:
        """Sums of (C, h, w) over the neighbourhood of every cell, up to a common factor."""
        pooled = F.avg_pool2d(values[None], self.cell, ceil_mode=True, count_include_pad=False)
        return gaussian_filter(pooled[0].numpy(), (0, REACH, REACH))

    def step(self, mask: torch.Tensor) -> torch.Tensor:
        """Every pixel joins the nearer local mean; ``mask`` and result are float (h, w)."""
        inside = self._local(torch.cat([self.pixels * mask, mask[None]]))
        share = np.stack([inside[-1], self.all[0] - inside[-1]])
        thing = inside[:-1] / np.maximum(share[0], 1e-4)
        ground = (self.total - inside[:-1]) / np.maximum(share[1], 1e-4)
        # Nearer to `thing` than to `ground`: the projection on their difference is above a half.
        axis = thing - ground
        axis /= np.maximum((axis**2).sum(axis=0), 1e-4)
        offset = (ground * axis).sum(axis=0)
        local = np.concatenate([axis, offset[None], share.min(axis=0)[None]])
        # Cells that stick out at the end are as large as the others, and cut off afterwards.
        size = [side * self.cell for side in local.shape[1:]]
        fields = F.interpolate(torch.from_numpy(local)[None], size, mode="bilinear")[0]
        fields = fields[:, : mask.shape[0], : mask.shape[1]]
        nearness = (self.pixels * fields[:-2]).sum(0) - fields[-2]
        return torch.where(fields[-1] > NEAR, (nearness > 0.5).float(), mask)


def shrunk(image: np.ndarray, side: int) -> np.ndarray:
    """uint8 (H, W, 3) with neither side longer than ``side`` pixels."""
    height, width = image.shape[:2]
    ratio = min(1.0, side / max(height, width))
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _box_around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, cols[0] - margin), cols[-1] + 1 + margin),
    )


def _core(mask: np.ndarray) -> np.ndarray:
    """What lies deep in bool (h, w); where the picture ends there may be more of it."""
    depth: np.ndarray = distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    return depth > CORE * max(mask.shape)


def _without_bites(mask: np.ndarray, core: np.ndarray) -> np.ndarray:
    """``mask`` with the part of ``core`` that a closing of ``mask`` holds, bool (h, w).

    A glossy side may be as bright as the ground next to it: its colour leaves the object, the
    outline of the rest and the coarse guess still hold it.
    """
    if not (core & ~mask).any():
        return mask
    reach = BITE * max(mask.shape)
    edge = int(reach) + 2
    near = distance_transform_edt(~np.pad(mask, edge)) <= reach
    closed = distance_transform_edt(near)[edge:-edge, edge:-edge] > reach
    filled: np.ndarray = mask | (closed & core)
    return filled


def refine(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Move ``mask``, a coarse bool (h, w) of any size, to the edges of uint8 (H, W, 3).

    Returns bool (H, W) without holes or crumbs; empty if nothing stays.
    """
    height, width = image.shape[:2]
    views = [shrunk(image, stage.side) for stage in PASSES]
    mask = resized(mask, *views[0].shape[:2])
    core = _core(mask)
    for number, (stage, small) in enumerate(zip(PASSES, views, strict=True)):
        if number:
            mask = _without_bites(mask, resized(core, *mask.shape))
        if not mask.any():
            return np.zeros((height, width), bool)
        mask = resized(mask, *small.shape[:2])
        box = _box_around(mask, round(MARGIN * REACH * max(small.shape) / stage.cells))
        view = _View(small, stage.side, stage.cells, box)
        state = torch.from_numpy(mask[box]).float()
        for _ in range(stage.steps):
            before, state = state, view.step(state)
            if float((before != state).float().mean()) < SETTLED:
                break
        mask = np.zeros_like(mask)
        mask[box] = state.numpy() > 0.5
        mask = cleaned(mask)
    return resized(mask, height, width)
