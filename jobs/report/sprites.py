"""Tiles set together into sheets that a page holds within itself."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from jobs.report.tiles import SIDE, Tile

ACROSS = 4
EACH = ACROSS * ACROSS
"""Tiles of a sheet: few, as a filtered page may need one tile each of many sheets."""
QUALITY = 62
OUTLINE = (255, 59, 107)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Two pictures of ACROSS x ACROSS tiles, base64: ``pictures`` is WebP; ``outlines``, a PNG, is
    clear but for the masks' outlines."""

    pictures: str
    outlines: str


@dataclass
class Sprites:
    """Sheets as they fill up. A tile's number tells its place: sheet, row, column."""

    sheets: list[Sheet] = field(default_factory=list)
    count: int = 0
    _pictures: np.ndarray = field(init=False)
    _outlines: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self._clear()

    def add(self, tile: Tile) -> int:
        """The tile's number."""
        number = self.count
        row, column = divmod(number % EACH, ACROSS)
        place = np.s_[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        self._pictures[place], self._outlines[place] = tile.picture, tile.outline
        self.count += 1
        if self.count % EACH == 0:
            self._finish()
        return number

    def close(self) -> list[Sheet]:
        """All sheets."""
        if self.count % EACH:
            self._finish()
        return self.sheets

    def _clear(self) -> None:
        side = ACROSS * SIDE
        self._pictures = np.full((side, side, 3), 127, np.uint8)
        self._outlines = np.zeros((side, side), np.uint8)

    def _finish(self) -> None:
        clear = Image.fromarray(self._outlines, "P")
        clear.putpalette([0, 0, 0, *OUTLINE])
        self.sheets.append(
            Sheet(
                pictures=_coded(Image.fromarray(self._pictures), format="WEBP", quality=QUALITY),
                outlines=_coded(clear, format="PNG", transparency=0, optimize=True, bits=1),
            )
        )
        self._clear()


def _coded(image: Image.Image, **how: object) -> str:
    buffer = io.BytesIO()
    image.save(buffer, **how)  # type: ignore[arg-type]
    return base64.b64encode(buffer.getvalue()).decode()
