"""The file of a real defect's look, as a plan keeps it beside its mask's."""

from __future__ import annotations

import numpy as np

from adabldm.core import images, masks
from adabldm.core.data_uri import shown
from adabldm.core.faults import InputFault
from adabldm.core.objects import DefectImage
from adabldm.core.picture_uri import DatasetFault, read_picture
from adabldm.placement.looks import MARGIN, cut_look


def is_mostly_defect(mask: np.ndarray) -> bool:
    """Whether a mask needs a black margin in its file, so that it is not taken for one that is the
    wrong way round."""
    return bool(np.count_nonzero(mask) > masks.MOST_SHARE * mask.size)


def mask_file(mask: np.ndarray) -> bytes:
    """The file of a mask, uint8 (H, W) of 0 / 255, from which a placement takes its shape."""
    if is_mostly_defect(mask):
        mask = np.pad(mask, [(side, side) for side in mask.shape])
    return images.encode_png(mask)


def look_file(item: DefectImage, mask: np.ndarray) -> bytes:
    """The PNG of what ``item`` looks like, of the size that belongs to the :func:`mask_file` of its
    ``mask`` (H, W). Raises :class:`InputFault` for a picture that cannot be read or is not of the
    mask's size."""
    try:
        picture = read_picture(item.image)
    except DatasetFault as fault:
        raise InputFault(f"DATASET: {fault}") from fault
    if picture.shape[:2] != mask.shape:
        rule = f"is not of the size of its picture {shown(item.image)}"
        raise InputFault.of("DATASET", shown(item.mask), rule)
    if is_mostly_defect(mask):
        around = [(MARGIN, MARGIN), (MARGIN, MARGIN)]
        picture, mask = np.pad(picture, [*around, (0, 0)], mode="edge"), np.pad(mask, around)
    look = cut_look(picture, mask)
    return images.encode_png(look if np.ptp(look, axis=2).any() else look[..., 0])
