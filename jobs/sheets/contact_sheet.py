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
from cluster.output.schema import OK, REJECTED
from cluster.storage.location import Location, location
from jobs.sheets.picture_grid import Group, PictureGrid, save_whole, titled_sheet

SIDE, ACROSS = 128, 3
AMPLIFIED = 4
"""The difference is shown this many times as strong as it is."""

KEPT = "source,trimap"
PARTS = ("source", "trimap", "image")
TITLES = ("good image", "trimap", "result", f"difference x{AMPLIFIED}")
COLUMNS = ["request_id", "object", "defect", "status", "reason", "image", "extras"]


def _paths(row: dict[str, Any]) -> dict[str, str]:
    """Paths by part; a rejected pair's image lies with its extras."""
    extras = {item["name"]: item["path"] for item in row["extras"] or []}
    return {"image": row["image"] or extras.get(REJECTED), **extras}


def sample(ledger: Ledger, limit: int, status: str = OK) -> list[dict[str, Any]]:
    """At most ``limit`` pairs of the whole run, the same ones each time, type by type."""

    def ranked() -> Iterator[tuple[bytes, str, dict[str, Any]]]:
        for batch in ledger.read(COLUMNS, f"status = '{status}'"):
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
    """A group of four pictures a row, labelled ``object, defect, request id``, and below it the
    reason where there is one."""
    groups = [
        Group(pictures=cells, label=_label(row)) for row, cells in zip(rows, pictures, strict=True)
    ]
    return PictureGrid(groups=groups, side=SIDE, across=ACROSS, titles=TITLES)


def _label(row: dict[str, Any]) -> str:
    named = f"{row['object']}, {row['defect']}, {row['request_id']}"
    return f"{named}\n{row['reason']}" if row.get("reason") else named


def draw(rows: list[dict[str, Any]], pictures: list[list[np.ndarray]], title: str) -> Image.Image:
    """The sheet: :func:`pair_grid` under ``title``."""
    return titled_sheet(title, [pair_grid(rows, pictures).draw()])


def contact_sheet(
    output_uri: str, path_png: Path, limit: int = 64, *, rejected: bool = False
) -> int:
    """Draw at most ``limit`` pairs of the run at ``output_uri`` into ``path_png``, published ones
    or ``rejected`` ones.

    Returns how many were drawn. The run must have kept ``source`` and ``trimap``.
    Raises :class:`InputFault` if there is nothing to draw, :class:`JobFault` for a lost picture.
    """
    output = location("OUTPUT", output_uri)
    ledger = Ledger(output)
    rows = sample(ledger, limit, REJECTED if rejected else OK)
    kind, kept = ("rejected pairs", f"{KEPT},{REJECTED}") if rejected else ("pairs", KEPT)
    if not rows:
        raise InputFault.of("OUTPUT", output.shown, f"has an index with {kind} in it")
    for row in rows:
        missing = [part for part in PARTS if not _paths(row).get(part)]
        if missing:
            rule = f"was generated with --keep {kept} (no {missing[0]} is kept)"
            raise InputFault.of("OUTPUT", output.shown, rule)
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda row: _read(output, row), rows))
    save_whole(draw(rows, pictures, f"{output.shown}: {len(rows)} {kind}"), path_png)
    return len(rows)
