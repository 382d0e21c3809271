"""Trimaps (paper, section III-B and figure 3).

A trimap is uint8 (H, W): 255 defect, 127 object, 0 background.
"""

from __future__ import annotations

import numpy as np

DEFECT, OBJECT, BACKGROUND = 255, 127, 0


class TrimapFault(ValueError):
    """A trimap that breaks the rules; the message says which."""


def compose(defect: np.ndarray, foreground: np.ndarray | None = None) -> np.ndarray:
    """Trimap from a defect mask and the object's mask, both (H, W), non-zero inside.

    Without ``foreground`` the surface is a texture: all object.
    """
    trimap = np.full(defect.shape, OBJECT, np.uint8)
    if foreground is not None:
        trimap[foreground == 0] = BACKGROUND
    trimap[defect > 0] = DEFECT
    return trimap


def check(trimap: np.ndarray) -> None:
    """Raise :class:`TrimapFault` unless values are 0 / 127 / 255 with some defect."""
    values = np.unique(trimap)
    illegal = [int(v) for v in values if v not in (DEFECT, OBJECT, BACKGROUND)]
    if illegal:
        shown = ", ".join(map(str, illegal[:5])) + (", ..." if len(illegal) > 5 else "")
        raise TrimapFault(f"values {shown} are not among 0, 127, 255")
    if DEFECT not in values:
        raise TrimapFault("no pixel is 255 (defect)")


def resize(trimap: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize to (height, width); a cell is defect if any pixel it covers is.

    The object is resized by nearest neighbour. Thin defects never vanish.
    """
    if trimap.shape == (height, width):
        return trimap
    rows = np.arange(height) * trimap.shape[0] // height
    cols = np.arange(width) * trimap.shape[1] // width
    resized = trimap[rows][:, cols].copy()
    defect_rows, defect_cols = np.nonzero(trimap == DEFECT)
    resized[defect_rows * height // trimap.shape[0], defect_cols * width // trimap.shape[1]] = (
        DEFECT
    )
    return resized
