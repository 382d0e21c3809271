"""``adabldm sheet``: what a run made, to be looked at: good image, trimap, result, difference."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from adabldm.core import images
from adabldm.core.faults import InputFault, JobFault
from cluster.output.index import Ledger
from cluster.storage.location import Location, location

CELL, LINE, GAP, MARGIN = 128, 16, 16, 12
GROUPS_ACROSS = 3
AMPLIFIED = 4
"""The difference is shown this many times as strong as it is."""

PARTS = ("source", "trimap", "image")
TITLES = ("good image", "trimap", "result", f"difference x{AMPLIFIED}")
COLUMNS = ["request_id", "object", "defect", "image", "extras"]
INK, PAPER = (20, 20, 20), (255, 255, 255)


def _paths(row: dict[str, Any]) -> dict[str, str]:
    extras = {item["name"]: item["path"] for item in row["extras"] or []}
    return {"image": row["image"], **extras}


def _sample(ledger: Ledger, limit: int) -> list[dict[str, Any]]:
    """At most ``limit`` pairs of the whole run, the same ones each time, by their ids."""

    def ranked() -> Iterator[tuple[bytes, str, dict[str, Any]]]:
        for batch in ledger.read(COLUMNS, "status = 'ok'"):
            for row in batch.to_pylist():
                name = row["request_id"]
                yield hashlib.sha256(name.encode()).digest(), name, row

    return [row for _, _, row in sorted(heapq.nsmallest(limit, ranked()), key=lambda item: item[1])]


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


def draw(rows: list[dict[str, Any]], pictures: list[list[np.ndarray]], title: str) -> Image.Image:
    """The sheet: a group of four cells a row, labelled ``object, defect, request id``."""
    across = min(GROUPS_ACROSS, len(rows))
    group_width, group_height = len(TITLES) * (CELL + 2) + GAP, CELL + LINE + GAP
    down = -(-len(rows) // across)
    top = MARGIN + 3 * LINE
    sheet = Image.new(
        "RGB", (2 * MARGIN + across * group_width - GAP, top + down * group_height), PAPER
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    pen.text((MARGIN, MARGIN), title, INK, font=font)
    for column in range(across):
        for cell, name in enumerate(TITLES):
            x = MARGIN + column * group_width + cell * (CELL + 2)
            pen.text((x, MARGIN + 1.5 * LINE), name, INK, font=font)
    for index, (row, cells) in enumerate(zip(rows, pictures, strict=True)):
        left = MARGIN + index % across * group_width
        upper = top + index // across * group_height
        label = f"{row['object']}, {row['defect']}, {row['request_id']}"
        pen.text((left, upper), label[:80], INK, font=font)
        for cell, pixels in enumerate(cells):
            shown = Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(shown, (left + cell * (CELL + 2), upper + LINE))
    return sheet


def contact_sheet(output_uri: str, path_png: Path, limit: int = 64) -> int:
    """Draw at most ``limit`` pairs of the run at ``output_uri`` into ``path_png``.

    Returns how many were drawn. The run must have kept ``source`` and ``trimap``.
    Raises :class:`InputFault` if there is nothing to draw, :class:`JobFault` for a lost picture.
    """
    output = location("OUTPUT", output_uri)
    ledger = Ledger(output)
    rows = _sample(ledger, limit)
    if not rows:
        raise InputFault.of("OUTPUT", output.shown, "has an index with pairs in it")
    for row in rows:
        missing = [part for part in PARTS if part not in _paths(row)]
        if missing:
            rule = f"was generated with --keep source,trimap (no {missing[0]} is kept)"
            raise InputFault.of("OUTPUT", output.shown, rule)
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda row: _read(output, row), rows))
    path_png.parent.mkdir(parents=True, exist_ok=True)
    draw(rows, pictures, f"{output.shown}: {len(rows)} pairs").save(path_png)
    return len(rows)
