"""A small drawn data set on the disk: discs with dark spots, or brushed metal with scratches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.data import drawn_metal
from tests.support.drawn_objects import draw_objects

GOODS = 6


def _save(path: Path, pixels: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return str(path)


def disc_folder(root: Path, caption: str | None = None, goods: int = GOODS) -> ObjectFolder:
    """Bright discs on a dark ground; two dark spots and one held out."""
    drawn = draw_objects(goods + 3, ground=(30, 30, 30), thing=(180, 180, 180))
    good = tuple(
        _save(root / f"disc/train/good/{i}.png", p) for i, (p, _) in enumerate(drawn[:goods])
    )
    defects = []
    for index, (picture, truth) in enumerate(drawn[goods:]):
        row, col = np.argwhere(truth).mean(axis=0).astype(int)
        mask = np.zeros(truth.shape, np.uint8)
        mask[row - 6 : row + 6, col - 9 : col + 9] = 255
        picture[mask > 0] = 90
        name = f"{index}.png"
        defects.append(
            DefectImage(
                defect="spot",
                image=_save(root / "disc/test/spot" / name, picture),
                mask=_save(root / "disc/ground_truth/spot" / name, mask),
                caption=caption,
            )
        )
    return ObjectFolder(
        name="disc", good=good, test_good=(), defects=tuple(defects[:2]), held_out=(defects[2],)
    )


def metal_folder(root: Path, goods: int = GOODS) -> ObjectFolder:
    """Brushed metal, a texture, with a crack and a blowhole."""
    good = tuple(
        _save(root / f"metal/train/good/{i}.png", drawn_metal.draw_part(i).image)
        for i in range(goods)
    )
    defects = []
    for kind in ("blowhole", "crack"):
        part = drawn_metal.draw_part(99, defect=kind)
        defects.append(
            DefectImage(
                defect=kind,
                image=_save(root / f"metal/test/{kind}/0.png", part.image),
                mask=_save(root / f"metal/ground_truth/{kind}/0_mask.png", part.mask),
            )
        )
    return ObjectFolder(
        name="metal", good=good, test_good=(), defects=tuple(defects), surface="texture"
    )
