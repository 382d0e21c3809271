"""Pictures side by side in one PNG, with or without words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from adabldm.core.images import coloured, grid

INK, PAPER = (20, 20, 20), (255, 255, 255)
LINE, GAP, MARGIN = 16, 16, 12


def save_sheet(path: Path, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """A plain grid of uint8 pictures of one size, (H, W) or (H, W, 3)."""
    Image.fromarray(grid(rows)).save(path)


def cell(pixels: np.ndarray, side: int) -> Image.Image:
    """A square picture, uint8 (H, W[, 3]), brought to ``side`` pixels."""
    picture = Image.fromarray(coloured(np.ascontiguousarray(pixels)))
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def titled_grid(
    titles: Sequence[str],
    labels: Sequence[str],
    rows: Sequence[Sequence[np.ndarray]],
    *,
    side: int,
    across: int = 1,
) -> Image.Image:
    """Groups of one picture a title, ``across`` groups a line, each under its own label.

    ``rows`` are square uint8 pictures, shown ``side`` pixels wide.
    """
    width, height = len(titles) * (side + 2) + GAP, side + LINE + GAP // 2
    down = -(-len(rows) // across)
    top = MARGIN + LINE
    sheet = Image.new("RGB", (2 * MARGIN + across * width - GAP, top + down * height), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for group in range(across):
        for column, title in enumerate(titles):
            x = MARGIN + group * width + column * (side + 2)
            pen.text((x, MARGIN // 2), title, INK, font=font)
    for index, (label, pictures) in enumerate(zip(labels, rows, strict=True)):
        left, upper = MARGIN + index % across * width, top + index // across * height
        pen.text((left, upper), label, INK, font=font)
        for column, pixels in enumerate(pictures):
            sheet.paste(cell(pixels, side), (left + column * (side + 2), upper + LINE))
    return sheet
