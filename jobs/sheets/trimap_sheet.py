"""``adabldm trimaps``: a plan to be looked at before a GPU starts: trimaps over their pictures,
and how sizes and positions are spread."""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from adabldm.core.faults import InputFault
from jobs.sheets.picture_grid import Group, PictureGrid, save_whole, titled_sheet
from jobs.sheets.spread_plots import draw_plots, spread

if TYPE_CHECKING:
    from cluster.manifest.reader import Manifest

SIDE, ACROSS = 144, 8
KEPT_PICTURES = 256
MEASURED = 2000
"""Rows whose trimaps are rendered for the plot."""

RED = (230, 40, 30)
DIMMED = 0.4
"""What is left of the background's brightness."""

WIDTH = 1300
"""Of the plots, in pixels, about that of the pictures above."""

Row = dict[str, Any]
PixelKind = Literal["RGB", "L", "mask"]


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


def _decode(data: bytes, kind: PixelKind) -> np.ndarray:
    from adabldm.core import images, masks

    return masks.decode_mask(data).pixels if kind == "mask" else images.decode(data, kind)


class Recipes:
    """Opens a manifest's rows as a worker does; each picture that comes again is decoded once."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._by_path = lru_cache(KEPT_PICTURES)(self._decode_file)

    def _decode_file(self, path: str, kind: PixelKind) -> np.ndarray:
        return _decode(self._manifest.resolve(path).read(), kind)

    def _pixels(self, blob: Mapping[str, Any], kind: PixelKind) -> np.ndarray:
        if blob.get("bytes") is not None:
            return _decode(blob["bytes"], kind)
        return self._by_path(blob["path"], kind)

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
            marks = placed_trimap(
                recipe, lambda _, blob: self._pixels(blob, "mask"), *image.shape[:2]
            )
        trimap.check(marks)
        return image, marks


def trimap_grid(shown: Sequence[tuple[Row, np.ndarray]]) -> PictureGrid:
    """Pictures uint8 (H, W, 3) type by type, each under its row's names."""
    ordered = sorted(
        shown, key=lambda item: (item[0]["object"], item[0]["defect"], item[0]["request_id"])
    )
    groups = [
        Group(pictures=(pixels,), label=f"{row['object']}, {row['defect']}\n{row['request_id']}")
        for row, pixels in ordered
    ]
    return PictureGrid(groups=groups, side=SIDE, across=ACROSS)


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
    grid = trimap_grid(shown)
    plots = draw_plots({name: np.array(found) for name, found in figures.items()}, WIDTH)
    title = f"{manifest.place.shown}: {len(shown)} of {manifest.rows} trimaps, {len(rows)} measured"
    save_whole(titled_sheet(title, [grid.draw(), plots]), path_png)
    return len(shown)
