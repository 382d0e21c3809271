"""The look of a real defect, set down in a good picture: what a drawing may start from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adabldm.placement import pasting, transform

MARGIN = 8
"""Pixels around a defect's box that belong to its look: its surroundings' tone is read there."""

SIZES = "must be of the mask's size, or of its defect's box with a margin of {margin} pixels: "


class LookFault(ValueError):
    """A look that is not of its mask's size; the message says which sizes are."""


def look_box(box: Sequence[slice], height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns of a look in its picture (height, width); ``box`` is its defect's."""
    rows, cols = (
        slice(max(0, side.start - MARGIN), min(length, side.stop + MARGIN))
        for side, length in zip(box, (height, width), strict=True)
    )
    return rows, cols


def cut_look(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The look of the defect that ``mask`` (H, W) marks in ``picture`` (H, W, 3)."""
    return picture[look_box(transform.bounding_box(mask), *mask.shape)].copy()


def check_size(
    size: tuple[int, int], mask_size: tuple[int, int], box: Sequence[slice]
) -> tuple[slice, slice]:
    """What of a mask of ``mask_size``, whose defect has the ``box``, a look of ``size`` shows: all
    of it, or the defect's surroundings. Raises :class:`LookFault`."""
    near = look_box(box, *mask_size)
    sides = (near[0].stop - near[0].start, near[1].stop - near[1].start)
    if size == mask_size:
        return slice(0, mask_size[0]), slice(0, mask_size[1])
    if size == sides:
        return near
    allowed = " or ".join(f"{height} x {width}" for height, width in (mask_size, sides))
    raise LookFault(SIZES.format(margin=MARGIN) + allowed)


def set_down(
    picture: np.ndarray, look: np.ndarray, mask: np.ndarray, where: transform.Placement
) -> np.ndarray:
    """``picture`` uint8 (H, W, 3) with the defect of ``look`` (h, w, 3), which its ``mask`` marks,
    ``where`` the recipe says: uint8 (H, W, 3).

    Raises :class:`LookFault`, and :class:`~adabldm.placement.transform.PlacementFault` if the
    defect leaves the picture.
    """
    size = (look.shape[0], look.shape[1])
    shown = mask[check_size(size, (mask.shape[0], mask.shape[1]), transform.bounding_box(mask))]
    pasted, _ = pasting.paste(where, picture, look, shown)
    return pasted
