"""Pictures side by side on one sheet, with words above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from adabldm.core.images import coloured
from cluster.storage.location import Location
from cluster.storage.whole_files import write_whole

INK, PALE, PAPER, BACKING = (20, 20, 20), (110, 110, 110), (255, 255, 255), (240, 240, 240)
MARGIN, GAP, SEAM = 16, 18, 3
"""Around the grid, between groups, and between the pictures of a group, in pixels."""
LINE, TITLE = 18, 38
"""Heights of a line of words and of the sheet's title, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Pictures that belong together, uint8 (H, W) or (H, W, 3), and the lines of words above."""

    pictures: Sequence[np.ndarray]
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class PictureGrid:
    """Groups of equally many pictures, ``across`` groups a line; ``titles`` name the columns.

    Each picture is fitted into a square of ``side`` pixels. Words too long for their place lose
    their beginning, for the end is what tells names apart.
    """

    groups: Sequence[Group]
    side: int
    across: int = 1
    titles: Sequence[str] = ()

    @property
    def columns(self) -> int:
        """Pictures of a group."""
        return max(len(group.pictures) for group in self.groups)

    @property
    def group_width(self) -> int:
        return self.columns * (self.side + SEAM) - SEAM

    @property
    def label_height(self) -> int:
        return LINE * max(group.label.count("\n") + bool(group.label) for group in self.groups)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole grid, in pixels."""
        across = min(self.across, len(self.groups))
        width = across * (self.group_width + GAP) - GAP
        _, last = self.corner(len(self.groups) - 1, 0)
        return 2 * MARGIN + width, last + self.side + MARGIN

    def corner(self, group: int, column: int) -> tuple[int, int]:
        """Left and top of a picture's square, in pixels."""
        down, aside = divmod(group, self.across)
        top = (LINE if self.titles else 0) + self.label_height
        return (
            MARGIN + aside * (self.group_width + GAP) + column * (self.side + SEAM),
            MARGIN + top + down * (self.label_height + self.side + GAP // 2),
        )

    def draw(self) -> Image.Image:
        """The grid as a picture in RGB."""
        sheet = Image.new("RGB", self.size, PAPER)
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
        for aside in range(min(self.across, len(self.groups))):
            for column, title in enumerate(self.titles):
                place = self.corner(aside, column)[0], MARGIN - 2
                pen.text(place, fitted(title, font, self.side), PALE, font=font)
        for number, group in enumerate(self.groups):
            left, top = self.corner(number, 0)
            for row, line in enumerate(group.label.split("\n")):
                place = left, top - self.label_height + row * LINE
                pen.text(place, fitted(line, font, self.group_width), INK, font=font)
            for column, pixels in enumerate(group.pictures):
                sheet.paste(cell(pixels, self.side), self.corner(number, column))
        return sheet


def fitted(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """``words``, or as much of their end as is not wider than ``width`` pixels."""
    if font.getlength(words) <= width:
        return words
    starts = range(1, len(words))
    cut = (f"…{words[start:]}" for start in starts)
    return next((some for some in cut if font.getlength(some) <= width), "")


def cell(pixels: np.ndarray, side: int) -> Image.Image:
    """A picture, uint8 (H, W[, 3]), brought to the middle of a square of ``side`` pixels."""
    picture = Image.fromarray(coloured(np.ascontiguousarray(pixels)))
    return ImageOps.pad(picture, (side, side), Image.Resampling.LANCZOS, color=BACKING)


def titled_sheet(title: str, parts: Sequence[Image.Image]) -> Image.Image:
    """``parts`` one below the other, the first one's top at :data:`TITLE`, under ``title``."""
    width = max(part.width for part in parts)
    sheet = Image.new("RGB", (width, TITLE + sum(part.height for part in parts)), PAPER)
    font = ImageFont.load_default(size=18)
    words = fitted(title, font, width - 2 * MARGIN)
    ImageDraw.Draw(sheet).text((MARGIN, MARGIN - 4), words, INK, font=font)
    top = TITLE
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def save_whole(sheet: Image.Image, path: Path) -> None:
    """Write the sheet to ``path``, whole or not at all; a PNG, unless its name says otherwise."""
    kind = Image.registered_extensions().get(path.suffix.lower(), "PNG")
    with write_whole(Location.of(str(path))) as file:
        sheet.save(file, format=kind)
