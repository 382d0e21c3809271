"""Trimaps and keep-masks against the recorded ones."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from adabldm.core import trimap
from adabldm.parity.comparison import EXACT, Comparison, difference
from adabldm.parity.recording import Tensors
from adabldm.sampling import keep_masks


def mask_building(recorded: Tensors) -> Iterator[Comparison]:
    """Trimap composition, latent masks and pixel masks of the recorded cases."""
    for case in sorted({key.split("/")[0] for key in recorded}):
        own = {k.split("/", 1)[1]: v for k, v in recorded.items() if k.startswith(f"{case}/")}
        if "trimap_u8" not in own:
            continue
        defect, marks = own["pixel_mask_u8"], own["trimap_u8"][..., 0]
        composed = trimap.compose(defect.numpy(), own["object_mask_u8"].numpy())
        yield difference(f"{case} trimap", torch.from_numpy(composed), marks, EXACT)
        keep = keep_masks.pixel_keep_mask(marks[None])
        yield difference(f"{case} pixel keep-mask", keep, own["pixel_keep_mask"], EXACT)
        theirs = own["latent_keep_mask"]
        nearest = keep_masks.latent_keep_mask_nearest(defect[None], *theirs.shape[-2:])
        yield difference(f"{case} latent keep-mask", nearest, theirs, EXACT)
