"""Keep-masks and the control image made from trimaps (paper, figure 3).

Keep-masks are 1 where the good image stays and 0 on the defect.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from adabldm.core.trimap import DEFECT

LATENT_DILATION = 5
"""Side of the square by which the latent defect mask grows, in latent cells."""


def control_image(trimaps: torch.Tensor) -> torch.Tensor:
    """What the control branch sees: uint8 (N, H, W) to float (N, 3, H, W) of 0 / 0.498 / 1."""
    return (trimaps.float() / 255.0)[:, None].repeat(1, 3, 1, 1)


def pixel_keep_mask(trimaps: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W) to float (N, 1, H, W): 0 on the defect, 1 elsewhere."""
    return (trimaps != DEFECT).float()[:, None]


def _grow(cells: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(cells, LATENT_DILATION, stride=1, padding=LATENT_DILATION // 2)


def latent_keep_mask(trimaps: torch.Tensor, factor: int) -> torch.Tensor:
    """uint8 (N, H, W) to float (N, 1, H / factor, W / factor): 0 on the dilated defect.

    A cell is defect if any of its pixels is, so no defect is too thin to be seen.
    """
    return 1 - _grow(F.max_pool2d(1 - pixel_keep_mask(trimaps), factor))


def latent_keep_mask_nearest(defect: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The authors' latent mask, for replay: uint8 (N, H, W) to float (N, 1, height, width).

    Nearest resize reads one pixel a cell, threshold 200: a thin defect can be lost.
    """
    rows = torch.arange(height) * defect.shape[1] // height
    cols = torch.arange(width) * defect.shape[2] // width
    return 1 - _grow((defect[:, rows][:, :, cols] >= 200).float()[:, None])


def defect_cells(trimaps: torch.Tensor, factor: int) -> torch.Tensor:
    """uint8 (N, H, W) to float (N, 1, H / factor, W / factor): 1 on cells with a pixel of the
    defect and on their neighbours, closer to it than :func:`latent_keep_mask`."""
    cells = F.max_pool2d(1 - pixel_keep_mask(trimaps), factor)
    return F.max_pool2d(cells, 3, stride=1, padding=1)
