"""``adabldm trimaps``: a plan to be looked at before a GPU starts: trimaps over their pictures,
and how sizes and positions are spread."""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adabldm.core.faults import InputFault

if TYPE_CHECKING:
    from PIL import Image

    from cluster.manifest.reader import Manifest

CELL, LINE, GAP, MARGIN = 144, 14, 8, 12
ACROSS = 8
PLOT = 360
KEPT_PICTURES = 256
MEASURED = 2000
"""Rows whose trimaps are rendered for the plot."""

INK, PAPER, RED = (20, 20, 20), (255, 255, 255), (230, 40, 30)
DIMMED = 0.4
"""What is left of the background's brightness."""

PALETTE = (
    (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189),
    (140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207),
)  # fmt: skip

Row = dict[str, Any]


def _rank(row: Row) -> bytes:
    return hashlib.sha256(row["request_id"].encode()).digest()


def sample(manifest: Manifest, limit: int) -> list[Row]:
    """At most ``limit`` rows from all over the manifest, the same each time, by their ids' hash."""

    def ranked() -> Iterator[tuple[bytes, int, Row]]:
        for start, rows in manifest.chunks():
            for number, row in enumerate(rows, start):
                yield _rank(row), number, row

    return [row for _, _, row in heapq.nsmallest(limit, ranked())]


def shaded(image: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    """The picture uint8 (H, W, 3) with its background dimmed and its defect in red."""
    from adabldm.core.trimap import BACKGROUND, DEFECT

    shown = image.astype(np.float32)
    shown[trimap == BACKGROUND] *= DIMMED
    shown[trimap == DEFECT] = 0.45 * shown[trimap == DEFECT] + 0.55 * np.array(RED)
    return shown.astype(np.uint8)


def spread(trimap: np.ndarray) -> tuple[float, float, float]:
    """The defect's share of the picture in percent, and its centre's x and y in shares of the
    picture's width and height."""
    from adabldm.core.trimap import DEFECT

    rows, cols = np.nonzero(trimap == DEFECT)
    height, width = trimap.shape
    return 100 * len(rows) / trimap.size, (cols.mean() + 0.5) / width, (rows.mean() + 0.5) / height


class Recipes:
    """Opens a manifest's rows as a worker does; each picture that comes again is decoded once."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._by_path = lru_cache(KEPT_PICTURES)(self._decode_file)

    def _decode_file(self, path: str, mode: str) -> np.ndarray:
        from adabldm.core import images

        return images.decode(self._manifest.resolve(path).read(), mode)

    def _pixels(self, blob: Mapping[str, Any], mode: str) -> np.ndarray:
        from adabldm.core import images

        if blob.get("bytes") is not None:
            return images.decode(blob["bytes"], mode)
        return self._by_path(blob["path"], mode)

    def open(self, row: Row) -> tuple[np.ndarray, np.ndarray]:
        """The row's good image uint8 (H, W, 3) and trimap (H, W). Raises ``OSError`` and
        ``ValueError`` for what cannot be used."""
        from adabldm.core import trimap
        from cluster.manifest.recipe import placed_trimap

        image = self._pixels(row["image"], "RGB")
        recipe = row.get("placement")
        if recipe is None:
            marks = self._pixels(row["trimap"], "L")
        else:
            marks = placed_trimap(recipe, lambda _, blob: self._pixels(blob, "L"), *image.shape[:2])
        trimap.check(marks)
        return image, marks


def _axes(title: str, width: int, height: int) -> Image.Image:
    from PIL import Image, ImageDraw, ImageFont

    plot = Image.new("RGB", (width, height + 3 * LINE), PAPER)
    pen = ImageDraw.Draw(plot)
    pen.text((0, 0), title, INK, font=ImageFont.load_default(size=12))
    pen.rectangle((0, LINE + 4, width - 1, LINE + 4 + height), outline=INK)
    return plot


def draw_sizes(shares: dict[str, np.ndarray]) -> Image.Image:
    """Histograms of the defects' shares of their pictures, on a logarithmic scale, by type."""
    from PIL import ImageDraw, ImageFont

    plot = _axes("defect's share of the picture", PLOT, PLOT)
    pen, font = ImageDraw.Draw(plot), ImageFont.load_default(size=11)
    together = np.concatenate(list(shares.values()))
    low = np.floor(np.log10(together.min()))
    high = max(low + 1, np.ceil(np.log10(together.max())))
    edges = np.logspace(low, high, 41)
    counts = {name: np.histogram(values, edges)[0] for name, values in shares.items()}
    top = max(int(count.max()) for count in counts.values())
    base = LINE + 4 + PLOT
    for index, (name, count) in enumerate(counts.items()):
        colour = PALETTE[index % len(PALETTE)]
        points = [
            ((column + 0.5) / len(count) * PLOT, base - 0.95 * PLOT * value / top)
            for column, value in enumerate(count)
        ]
        pen.line(points, colour, 2)
        pen.text((6, LINE + 8 + index * LINE), name[:24], colour, font=font)
    for power in range(int(low), int(high) + 1):
        x = (power - low) / (high - low) * PLOT
        anchor = "la" if power == low else "ra" if power == high else "ma"
        pen.text((x, base + 3), f"{10.0**power:g} %", INK, font=font, anchor=anchor)
    return plot


def draw_positions(centres: dict[str, np.ndarray]) -> Image.Image:
    """The defects' centres in their pictures, by type."""
    from PIL import ImageDraw

    plot = _axes("defect's centre in the picture", PLOT, PLOT)
    pen = ImageDraw.Draw(plot)
    for index, points in enumerate(centres.values()):
        colour = PALETTE[index % len(PALETTE)]
        for x, y in points:
            left, upper = x * PLOT, LINE + 4 + y * PLOT
            pen.ellipse((left - 1.5, upper - 1.5, left + 1.5, upper + 1.5), fill=colour)
    return plot


def draw(shown: list[tuple[Row, np.ndarray]], plots: list[Image.Image], title: str) -> Image.Image:
    """The sheet: pictures uint8 (H, W, 3) with their rows' names, and the plots below."""
    from PIL import Image, ImageDraw, ImageFont

    down = -(-len(shown) // ACROSS)
    width = 2 * MARGIN + ACROSS * (CELL + GAP)
    top = MARGIN + 2 * LINE
    below = top + down * (CELL + LINE + GAP)
    sheet = Image.new("RGB", (width, below + max(plot.height for plot in plots) + MARGIN), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=10)
    pen.text((MARGIN, MARGIN), title, INK, font=ImageFont.load_default(size=12))
    for index, (row, pixels) in enumerate(shown):
        left = MARGIN + index % ACROSS * (CELL + GAP)
        upper = top + index // ACROSS * (CELL + LINE + GAP)
        pen.text((left, upper), f"{row['object']}, {row['defect']}"[:28], INK, font=font)
        picture = Image.fromarray(pixels)
        picture.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
        sheet.paste(picture, (left, upper + LINE))
    left = MARGIN
    for plot in plots:
        sheet.paste(plot, (left, below))
        left += plot.width + 4 * GAP
    return sheet


def trimap_sheet(manifest_uri: str, path_png: Path, limit: int, roots: list[str]) -> int:
    """Draw ``limit`` planned trimaps and the spread of up to ``MEASURED`` into ``path_png``.

    Returns how many were drawn. Raises :class:`InputFault` for a manifest or a picture that
    cannot be used.
    """
    from cluster.manifest.reader import Manifest

    manifest = Manifest(manifest_uri, roots)
    rows = sample(manifest, max(limit, MEASURED))
    if not rows:
        raise InputFault.of("MANIFEST", manifest_uri, "has a row")
    recipes = Recipes(manifest)
    shown: list[tuple[Row, np.ndarray]] = []
    figures: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for row in rows:
        try:
            image, trimap = recipes.open(row)
        except (OSError, ValueError) as error:
            raise InputFault.of("MANIFEST", row["request_id"], str(error)) from error
        if len(shown) < limit:
            shown.append((row, shaded(image, trimap)))
        figures[f"{row['object']}, {row['defect']}"].append(spread(trimap))
    by_type = {name: np.array(found) for name, found in sorted(figures.items())}
    plots = [
        draw_sizes({name: found[:, 0] for name, found in by_type.items()}),
        draw_positions({name: found[:, 1:] for name, found in by_type.items()}),
    ]
    path_png.parent.mkdir(parents=True, exist_ok=True)
    title = f"{manifest.place.shown}: {len(shown)} of {manifest.rows} trimaps, {len(rows)} measured"
    draw(sorted(shown, key=lambda item: item[0]["request_id"]), plots, title).save(path_png)
    return len(shown)
