"""A real defect cut out and pasted where a generated one was asked for.

A pair tells the mask that was asked for, not of which real defect it is; the real one that fills it
best, turned and scaled, is pasted there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adabldm.placement import pasting, transform

SEAM: pasting.Seam = "soft"
TURNS = 12
"""Angles that are tried for a mask whose axes do not tell."""
ALIKE = 0.8
"""Overlap (IoU) at which no other angle or defect is tried."""
SMALLER = (1.0, 0.7, 0.5, 0.3, 0.15, 0.08, 0.04)
"""What a real defect's scale is multiplied by until one fits into the picture."""


@dataclass(frozen=True)
class Donor:
    """A real defect: its picture, uint8 (H, W, 3), and its mask, bool (H, W)."""

    image: np.ndarray
    mask: np.ndarray


def _axis(mask: np.ndarray) -> float:
    """The direction in which a mask (h, w) is longest, in degrees, counterclockwise."""
    rows, cols = np.nonzero(mask)
    if len(rows) < 2:
        return 0.0
    x, y = cols - cols.mean(), -(rows - rows.mean())
    return float(np.rad2deg(0.5 * np.arctan2(2 * (x * y).mean(), (x * x).mean() - (y * y).mean())))


def _overlap(shape: np.ndarray, asked: np.ndarray) -> float:
    """IoU of two tight masks, bool, laid middle on middle."""
    height, width = (max(a, b) for a, b in zip(shape.shape, asked.shape, strict=True))
    both = np.zeros((2, height, width), bool)
    for layer, one in zip(both, (shape, asked), strict=True):
        top, left = (height - one.shape[0]) // 2, (width - one.shape[1]) // 2
        layer[top : top + one.shape[0], left : left + one.shape[1]] = one
    return float((both[0] & both[1]).sum() / max(1, (both[0] | both[1]).sum()))


def best_recipe(asked: np.ndarray, masks: Sequence[np.ndarray]) -> tuple[int, transform.Placement]:
    """Which of the real ``masks`` fills the mask ``asked``, bool (H, W), best, and how it is set
    down there. Raises :class:`~adabldm.placement.transform.PlacementFault` if none can be."""
    box = transform.bounding_box(asked)
    target = asked[box]
    for smaller in SMALLER:
        best: tuple[float, int, transform.Placement] | None = None
        for number, mask in enumerate(masks):
            scale = smaller * float(np.sqrt(target.sum() / max(1, np.count_nonzero(mask))))
            for angle in _angles(target, mask):
                if best is not None and best[0] >= ALIKE:
                    break
                found = _tried(mask, angle, scale, box, asked)
                if found is not None and (best is None or found[0] > best[0]):
                    best = (found[0], number, found[1])
        if best is not None:
            return best[1], best[2]
    raise transform.PlacementFault("no real defect fits where the pair's was asked for")


def _angles(target: np.ndarray, mask: np.ndarray) -> list[float]:
    """By which ``mask`` is turned to lie as ``target`` does, the likeliest first."""
    tilt = _axis(target) - _axis(mask[transform.bounding_box(mask)])
    turns = [0, TURNS // 2, *(k for k in range(1, TURNS) if 2 * k != TURNS)]
    return [(tilt + 360 * k / TURNS) % 360 for k in turns]


def _tried(
    mask: np.ndarray, angle: float, scale: float, box: tuple[slice, slice], asked: np.ndarray
) -> tuple[float, transform.Placement] | None:
    """How well the turned mask fills what was asked, and its recipe; None if it does not fit."""
    try:
        shape = transform.turned_shape(mask, angle, scale)
    except transform.PlacementFault:  # made so small that nothing is left
        return None
    where = _set_down(shape.shape, box, asked.shape, angle, scale)
    return None if where is None else (_overlap(shape, asked[box]), where)


def _set_down(
    size: tuple[int, ...],
    box: tuple[slice, slice],
    whole: tuple[int, ...],
    angle: float,
    scale: float,
) -> transform.Placement | None:
    """The recipe of a shape of ``size`` in the middle of ``box``, moved into the picture; None if
    it is larger than that."""
    starts = []
    for side, there, length in zip(size, box, whole, strict=True):
        if side > length:
            return None
        middle = (there.start + there.stop - side) // 2
        starts.append(min(max(0, middle), length - side))
    return transform.Placement(angle=angle, scale=scale, top=starts[0], left=starts[1])


def spoil(
    good: np.ndarray, donors: Sequence[Donor], asked: np.ndarray, seam: pasting.Seam = SEAM
) -> tuple[np.ndarray, np.ndarray]:
    """``good``, uint8 (H, W, 3), with one of the ``donors`` pasted where bool ``asked`` (H, W) is,
    and where that one is: bool (H, W). Raises as :func:`best_recipe`."""
    masks = [donor.mask.astype(np.uint8) * 255 for donor in donors]
    number, where = best_recipe(asked, masks)
    pasted, placed = pasting.paste(where, good, donors[number].image, masks[number], seam=seam)
    return pasted, placed > 0
