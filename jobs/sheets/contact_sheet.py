"""``adabldm sheet``: what a run made, to be looked at: good image, trimap, result, difference."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adabldm.core import images
from adabldm.core.faults import InputFault, JobFault
from cluster.output.index import Ledger
from cluster.storage.location import Location, location
from jobs.sheets.picture_grid import Group, PictureGrid, save_whole, titled_sheet

SIDE, ACROSS = 128, 3
AMPLIFIED = 4
"""The difference is shown this many times as strong as it is."""

PARTS = ("source", "trimap", "image")
TITLES = ("good image", "trimap", "result", f"difference x{AMPLIFIED}")
COLUMNS = ["request_id", "object", "defect", "image", "extras"]


def _paths(row: dict[str, Any]) -> dict[str, str]:
    extras = {item["name"]: item["path"] for item in row["extras"] or []}
    return {"image": row["image"], **extras}


def sample(ledger: Ledger, limit: int) -> list[dict[str, Any]]:
    """At most ``limit`` pairs of the whole run, the same ones each time, type by type."""

    def ranked() -> Iterator[tuple[bytes, str, dict[str, Any]]]:
        for batch in ledger.read(COLUMNS, "status = 'ok'"):
            for row in batch.to_pylist():
                name = row["request_id"]
                yield hashlib.sha256(name.encode()).digest(), name, row

    chosen = [row for _, _, row in heapq.nsmallest(limit, ranked())]
    return sorted(chosen, key=lambda row: (row["object"], row["defect"], row["request_id"]))


def _read(output: Location, row: dict[str, Any]) -> list[np.ndarray]:
    """The request's four pictures, uint8 (S, S, 3): good, trimap, result, difference."""
    paths = _paths(row)
    try:
        good, trimap, result = (
            images.decode(output.join(paths[part]).read(), "RGB") for part in PARTS
        )
    except (OSError, images.ImageFault) as error:
        raise JobFault(
            f"{row['request_id']}: a picture of {output.shown} is lost: {error}"
        ) from error
    difference = np.abs(result.astype(np.int16) - good) * AMPLIFIED
    return [good, trimap, result, np.clip(difference, 0, 255).astype(np.uint8)]


def pair_grid(rows: list[dict[str, Any]], pictures: list[list[np.ndarray]]) -> PictureGrid:
    """A group of four pictures a row, labelled ``object, defect, request id``."""
    groups = [
        Group(pictures=cells, label=f"{row['object']}, {row['defect']}, {row['request_id']}")
        for row, cells in zip(rows, pictures, strict=True)
    ]
    return PictureGrid(groups=groups, side=SIDE, across=ACROSS, titles=TITLES)


def draw(rows: list[dict[str, Any]], pictures: list[list[np.ndarray]], title: str) -> Image.Image:
    """The sheet: :func:`pair_grid` under ``title``."""
    return titled_sheet(title, [pair_grid(rows, pictures).draw()])


def contact_sheet(output_uri: str, path_png: Path, limit: int = 64) -> int:
    """Draw at most ``limit`` pairs of the run at ``output_uri`` into ``path_png``.

    Returns how many were drawn. The run must have kept ``source`` and ``trimap``.
    Raises :class:`InputFault` if there is nothing to draw, :class:`JobFault` for a lost picture.
    """
    output = location("OUTPUT", output_uri)
    ledger = Ledger(output)
    rows = sample(ledger, limit)
    if not rows:
        raise InputFault.of("OUTPUT", output.shown, "has an index with pairs in it")
    for row in rows:
        missing = [part for part in PARTS if part not in _paths(row)]
        if missing:
            rule = f"was generated with --keep source,trimap (no {missing[0]} is kept)"
            raise InputFault.of("OUTPUT", output.shown, rule)
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda row: _read(output, row), rows))
    save_whole(draw(rows, pictures, f"{output.shown}: {len(rows)} pairs"), path_png)
    return len(rows)
