"""Trimaps and the keep-masks made from them (paper, section III-B and figure 3).

A trimap is uint8 (H, W): 255 defect, 127 object, 0 background.
Keep-masks are 1 where the good image stays and 0 on the defect.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

DEFECT, OBJECT, BACKGROUND = 255, 127, 0
LATENT_DILATION = 5
"""Side of the square by which the latent defect mask grows, in latent cells."""


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
    resized[resized == DEFECT] = OBJECT
    resized[
        defect_rows * height // trimap.shape[0], defect_cols * width // trimap.shape[1]
    ] = DEFECT
    return resized


def hint(trimaps: torch.Tensor) -> torch.Tensor:
    """What the control branch sees: uint8 (N, H, W) to float (N, 3, H, W) of 0 / 0.5 / 1.

    The authors divide 8-bit values by 255, so "object" is 127 / 255.
    """
    return (trimaps.float() / 255.0)[:, None].expand(-1, 3, -1, -1).contiguous()


def pixel_keep_mask(trimaps: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W) to float (N, 1, H, W): 1 outside the defect."""
    return (trimaps != DEFECT).float()[:, None]


def latent_keep_mask(trimaps: torch.Tensor, factor: int) -> torch.Tensor:
    """uint8 (N, H, W) to float (N, 1, H / factor, W / factor): 0 on the dilated defect.

    A cell is defect if any of its pixels is, then the mask grows by a 5 x 5 square.
    """
    defect = (trimaps == DEFECT).float()[:, None]
    cells = F.max_pool2d(defect, factor)
    return 1 - F.max_pool2d(cells, LATENT_DILATION, stride=1, padding=LATENT_DILATION // 2)


def latent_keep_mask_nearest(defect: np.ndarray, height: int, width: int) -> np.ndarray:
    """The authors' latent mask of one image, for replay: uint8 (H, W) to float (height, width).

    Nearest resize samples one pixel a cell, so a thin defect can be lost.
    """
    rows = np.arange(height) * defect.shape[0] // height
    cols = np.arange(width) * defect.shape[1] // width
    cells = torch.from_numpy((defect[rows][:, cols] >= 200).astype(np.float32))[None, None]
    grown = F.max_pool2d(cells, LATENT_DILATION, stride=1, padding=LATENT_DILATION // 2)
    return np.asarray(1 - grown[0, 0])


