"""Where a real defect lies, beside places of the same picture where it might lie as well.

What is compared must differ in nothing but the place. So the defect is painted over with its
surroundings, its mask is set down elsewhere on the object as a plan would (turned, scaled,
anywhere), and these places are painted over in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, distance_transform_cdt

from adabldm.core import trimap
from adabldm.core.objects import DefectImage
from adabldm.core.picture_uri import DatasetFault, read_defect_mask, read_picture
from adabldm.foreground.features import Features
from adabldm.foreground.object_masks import ObjectMasks
from adabldm.foreground.places import look
from adabldm.foreground.refine import shrunk
from adabldm.placement import transform
from adabldm.placement.membrane import around as ring_of
from adabldm.placement.membrane import membrane
from adabldm.planning.place_likeness import Site
from adabldm.planning.surroundings import Frame, around

SIDE = 384
"""Pictures are looked at with no side longer than this, in pixels."""

PASSES, OTHERS = 2, 4
"""Other places are tried so many at a time, so that they keep off each other."""

APART = 1 / 48
"""Of the longer side, by which these keep off each other and the defect."""

TURNS = 4
"""Turns that are tried for one other place."""

PAINTED = 1 / 96
"""Of the longer side, by which more than the mask is painted over: a defect's shadow."""

LEAST_SHARE = 0.3
"""Of a cell that a mask covers to be in it; if none is covered so far, half of the most."""


def cell_share(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Of each of (height, width) cells, how much ``mask`` (H, W), non-zero inside, covers."""
    pixels = Image.fromarray((mask > 0).astype(np.uint8) * 255)
    share = np.asarray(pixels.resize((width, height), Image.Resampling.BOX), np.float32)
    scaled: np.ndarray = share / 255
    return scaled


def cells_of(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """The cells that a mask (H, W) is in, bool (height, width); at least one."""
    share = cell_share(mask, height, width)
    if not share.any():  # thinner than the picture shows
        small = trimap.resize(trimap.compose(mask), height, width)
        thin: np.ndarray = small == trimap.DEFECT
        return thin
    covered: np.ndarray = share >= min(LEAST_SHARE, float(share.max()) / 2)
    return covered


def half_width(cells: np.ndarray) -> int:
    """How far from its outline the middle of bool (h, w) is, in cells; 0 for a line."""
    depth = distance_transform_cdt(np.pad(cells, 1), metric="chessboard")
    return int(depth.max()) - 1


def painted_over(picture: np.ndarray, marks: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 (H, W, 3) in which each of ``marks``, bool (H, W), has the colours around it."""
    longer = max(picture.shape[:2])
    reach = max(1, round(PAINTED * longer))
    covered = [binary_dilation(mask, iterations=reach) for mask in marks]
    barred = np.logical_or.reduce(covered)
    result = picture.copy()
    for inside in covered:
        rows, cols = transform.bounding_box(inside)
        box = (
            slice(max(0, rows.start - 4), rows.stop + 4),
            slice(max(0, cols.start - 4), cols.stop + 4),
        )
        known = ring_of(inside[box]) & ~barred[box]
        if known.any():
            fill = membrane(picture[box].astype(np.float32), known)
            result[box][inside[box]] = np.clip(np.rint(fill[inside[box]]), 0, 255)
    return result


def others(
    rng: np.random.Generator, mask: np.ndarray, inside: np.ndarray
) -> list[list[np.ndarray]]:
    """``mask`` (H, W) set down elsewhere ``inside``, bool both: the places of each pass."""
    keep_off = max(1, round(APART * max(mask.shape)))
    passes: list[list[np.ndarray]] = []
    for _ in range(PASSES):
        free = inside & ~binary_dilation(mask, iterations=keep_off)
        found: list[np.ndarray] = []
        while len(found) < OTHERS and free.any():
            try:
                where = transform.place(
                    rng, mask.astype(np.uint8), free.astype(np.uint8), tries=TURNS
                )
            except transform.PlacementFault:
                break
            found.append(transform.render(mask.astype(np.uint8), where, *mask.shape) > 0)
            free &= ~binary_dilation(found[-1], iterations=keep_off)
        passes.append(found)
    return passes


def site_of(
    rng: np.random.Generator,
    item: DefectImage,
    masks: ObjectMasks,
    frame: Frame,
    features: Features,
) -> Site:
    """The places of one real defect. Raises :class:`~adabldm.core.picture_uri.DatasetFault`."""
    whole, marked = read_picture(item.image), read_defect_mask(item.mask, item.mask_rule)
    if marked.shape != whole.shape[:2]:
        raise DatasetFault(f"{item.mask}: is not of the size of its picture {item.image}")
    picture = shrunk(whole, SIDE)
    height, width = picture.shape[:2]
    mask = trimap.resize(trimap.compose(marked), height, width) == trimap.DEFECT
    inside = np.ones(mask.shape, bool)
    if not masks.is_texture:
        inside = (masks.predictor.mask(painted_over(picture, [mask])) > 0) | mask
    real: list[np.ndarray] = []
    elsewhere: list[np.ndarray] = []
    reach = 0
    for some in others(rng, mask, inside):
        seen = look(painted_over(picture, [mask, *some]), features)
        size = seen.shape[0], seen.shape[1]
        places, share = frame.along(seen), cell_share(inside, *size)
        cells, *more = (cells_of(one, *size) for one in (mask, *some))
        barred, reach = np.logical_or.reduce([cells, *more]), half_width(cells)
        real.append(around(places, share, reach, cells, barred))
        elsewhere += [around(places, share, reach, one, barred) for one in more]
    return Site(
        defect=item.defect,
        group=item.group or item.image,
        real=np.mean(real, axis=0),
        others=np.array(elsewhere).reshape(len(elsewhere), len(real[0])),
        reach=reach,
    )
