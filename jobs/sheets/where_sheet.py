"""``adabldm plan --where-sheet``: how likely places are, beside where the real defects lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jobs.sheets.picture_grid import Group, PictureGrid, save_whole, titled_sheet

if TYPE_CHECKING:
    from adabldm.core.objects import ObjectFolder
    from adabldm.planning.planner import PlannedObject, Planner

SIDE = 240
REAL = 2
"""Real defects that are shown of a type."""
DRAWN = 150
"""Defects that are set down on one picture."""
RED = (230, 40, 30)
FAINT = 0.4
"""Of the picture's brightness, under a map."""
PALE = 0.15
"""How much one drawn defect colours its place."""
TITLES = (
    "a good picture",
    "how likely places are",
    *(["a real defect"] * REAL),
    f"{DRAWN} drawn",
)


def heated(picture: np.ndarray, likely: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) under a map ``likely`` (h, w) where ``inside`` (H, W): dark unlikely, bright
    likely."""
    import matplotlib
    from PIL import Image

    height, width = picture.shape[:2]
    level = likely / max(float(likely.max()), 1e-9)
    large = Image.fromarray(np.uint8(np.rint(255 * level))).resize((width, height))
    colour = matplotlib.colormaps["inferno"](np.asarray(large))[..., :3] * 255
    shown = picture.astype(np.float64) * FAINT
    shown[inside] += (1 - FAINT) * colour[inside]
    return np.clip(shown, 0, 255).astype(np.uint8)


def tinted(picture: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) with red over it, ``strength`` (H, W) in 0..1."""
    opacity = strength[..., None]
    blended: np.ndarray = picture * (1 - opacity) + np.array(RED) * opacity
    return blended.astype(np.uint8)


def _drawn(planner: Planner, number: int, good: int, kind: int) -> np.ndarray:
    """How often each pixel is in a defect of :data:`DRAWN` on one picture, (H, W)."""
    from adabldm.placement import transform

    item = planner.objects[number]
    rows = np.arange(DRAWN, dtype=np.uint64)
    kinds = np.full(DRAWN, kind)
    region = int(item.region_of_type[kind])
    area = item.allowed_area(good, region)
    masks = item.masks.choose("where sheet", rows, kinds)
    at = item.place(good, region, area, rows, masks, "sheet", kinds=kinds)
    counts = np.zeros(item.goods[good].shape)
    bank = item.placer.bank
    for row in np.flatnonzero(at.found):
        shape, mask = int(at.shape[row]), item.masks.crop(int(masks[row]))
        solid = transform.turned_shape(mask, float(bank.angle[shape]), float(bank.scale[shape]))
        top, left = int(at.top[row]), int(at.left[row])
        counts[top : top + solid.shape[0], left : left + solid.shape[1]] += solid
    return counts


def _real(folder: ObjectFolder, defect: str) -> list[np.ndarray]:
    """Pictures of real defects, marked: uint8 (H, W, 3)."""
    from adabldm.core.picture_uri import read_defect_mask, read_picture

    some = [one for one in folder.defects if one.defect == defect][:REAL]
    return [
        tinted(read_picture(one.image), 0.6 * (read_defect_mask(one.mask, one.mask_rule) > 0))
        for one in some
    ]


def _group(planner: Planner, number: int, kind: int, folder: ObjectFolder) -> Group:
    from adabldm.core.picture_uri import read_picture

    item: PlannedObject = planner.objects[number]
    good = item.goods.loaded[kind % len(item.goods.loaded)]
    loaded, defect = item.goods[good], item.types[kind]
    picture = read_picture(folder.good[good])
    inside = np.ones(loaded.shape, bool)
    if loaded.foreground is not None:
        inside = loaded.foreground.unpack() > 0
    maps = loaded.likely.unpack(len(item.types)) if loaded.likely else None
    likely = np.ones((1, 1)) if maps is None else maps[kind]
    drawn = tinted(picture, 1 - (1 - PALE) ** _drawn(planner, number, good, kind))
    real = _real(folder, defect)
    real += [np.full((1, 1), 240, np.uint8)] * (REAL - len(real))
    return Group(
        pictures=(picture, heated(picture, likely, inside), *real, drawn),
        label=f"{item.name}, {defect}: at most {likely.max():.1f} times as likely as anywhere",
    )


def where_sheet(planner: Planner, objects: Sequence[ObjectFolder], path_png: Path) -> None:
    """A line a type: a good picture, how likely its places are, real defects, drawn ones.

    ``objects`` are the planner's, some of whose rows have been planned.
    """
    groups = [
        _group(planner, number, kind, objects[number])
        for number, kind in planner.pairs
        if planner.objects[number].goods.loaded
    ]
    grid = PictureGrid(groups=groups, side=SIDE, titles=TITLES)
    save_whole(titled_sheet("where defects are placed", [grid.draw()]), path_png)
