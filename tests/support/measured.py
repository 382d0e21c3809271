"""A drawn data set with defects to hold out, and a network that is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from adabldm.data import drawn_metal

GOODS, UNSEEN, DEFECTS = 3, 3, 9


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def draw_metal(root: Path, defects: int = DEFECTS, unseen: int = UNSEEN) -> str:
    """Brushed metal in MVTec layout, declared a texture by what it is; two types of defect."""
    folder = root / "drawn_metal"
    for index in range(GOODS):
        save(folder / f"train/good/{index}.png", drawn_metal.draw_part(index).image)
    for index in range(unseen):
        save(folder / f"test/good/{index}.png", drawn_metal.draw_part(100 + index).image)
    for kind in ("blowhole", "scratch"):
        for index in range(defects):
            part = drawn_metal.draw_part(200 + index, defect=kind)
            save(folder / f"test/{kind}/{index}.png", part.image)
            save(folder / f"ground_truth/{kind}/{index}_mask.png", part.mask)
    return str(folder)


def mean_colours(pictures: np.ndarray) -> list[np.ndarray]:
    """One layer: the mean colours of an 8 x 8 grid, (N, 3, 8, 8), about of order one."""
    count, height, width, _ = pictures.shape
    cells = pictures.reshape(count, 8, height // 8, 8, width // 8, 3).mean(axis=(2, 4))
    return [np.moveaxis(cells, 3, 1).astype(np.float32) / 64]
