"""How well the foreground is found: ``python -m jobs.bench.foreground_outlines --data DATA``.

DATA holds data sets in MVTec AD layout; OUTLINES is a JSON file of hand-drawn outlines, a list of
[x, y] in pixels for each picture's path below DATA. Prints the IoU of every picture for the
predictor, and may draw both outlines for the eye.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from scipy.ndimage import binary_erosion

from adabldm.core import images
from adabldm.foreground import features
from adabldm.foreground.predictor import PICTURES, fit_foreground

GOOD = "train/good"
DRAWN, FOUND = (0, 255, 0), (255, 0, 255)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks (H, W), non-zero inside; 1 if both are empty."""
    union = np.count_nonzero((one > 0) | (other > 0))
    return np.count_nonzero((one > 0) & (other > 0)) / union if union else 1.0


def filled(outline: list[tuple[float, float]], height: int, width: int) -> np.ndarray:
    """The polygon's inside, bool (height, width)."""
    canvas = Image.new("1", (width, height))
    ImageDraw.Draw(canvas).polygon([(x, y) for x, y in outline], fill=1)
    return np.asarray(canvas)


def _read(path: Path) -> np.ndarray:
    return images.decode(path.read_bytes())


def _drawn_over(image: np.ndarray, masks: list[tuple[np.ndarray, tuple[int, ...]]]) -> Image.Image:
    canvas = image.copy()
    for mask, colour in masks:
        canvas[(mask > 0) & ~binary_erosion(mask > 0)] = colour
    return Image.fromarray(canvas)


def main(
    data: Annotated[Path, typer.Option(help="Folder of data sets in MVTec AD layout.")],
    outlines: Annotated[Path, typer.Option(help="Hand-drawn outlines, JSON.")],
    backbone: Annotated[
        str | None, typer.Option(help="A transformers backbone; default: that in the package.")
    ] = None,
    overlays: Annotated[Path | None, typer.Option(help="Folder for pictures to look at.")] = None,
    threads: int = 1,
) -> None:
    """Print the IoU of found and hand-drawn objects, and the time of both steps."""
    torch.set_num_threads(threads)
    by_product: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(dict)
    for path, outline in json.loads(outlines.read_text()).items():
        by_product[path.split("/")[0]][path] = outline
    table = Table("picture", "IoU", "ms")
    for product, drawn in by_product.items():
        paths = sorted((data / product / GOOD).iterdir())
        goods = [_read(path) for path in paths[:: max(1, len(paths) // PICTURES)]]
        began = time.process_time()
        predictor = fit_foreground(goods, features.open_features(backbone))
        fitted = time.process_time() - began
        figures = []
        for path, outline in drawn.items():
            image = _read(data / path)
            truth = filled(outline, *image.shape[:2])
            began = time.process_time()
            found = predictor.mask(image)
            spent = time.process_time() - began
            figures.append((iou(found, truth), spent * 1e3))
            table.add_row(path, f"{figures[-1][0]:.3f}", f"{figures[-1][1]:.0f}")
            if overlays:
                overlays.mkdir(parents=True, exist_ok=True)
                shown = _drawn_over(image, [(truth, DRAWN), (found, FOUND)])
                shown.save(overlays / f"{path.replace('/', '_')}.png")
        mean = np.mean(figures, axis=0)
        table.add_row(
            f"mean of {product} ({predictor.surface}, fitted in {fitted:.1f} s)",
            f"{mean[0]:.3f}",
            f"{mean[1]:.0f}",
            style="bold",
            end_section=True,
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
