"""An output with all that a report tells of: rejected pairs that were kept, limits, workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from adabldm.core.images import encode_png
from cluster.output.index import Ledger
from cluster.output.paths import extra_key, image_key, mask_key
from cluster.output.schema import INDEX
from cluster.storage.hashing import sha256
from cluster.storage.location import Location

HEIGHT, WIDTH = 60, 90
LIMITS = {"coverage": 0.5, "agreement": 0.5, "seam": 12.0, "real_distance": "off"}
TYPES = (("nut", "crack"), ("nut", "hole"), ("cap", "crack"))
BEGAN = datetime(2026, 3, 1, 23, 58, tzinfo=UTC)
REJECTED, FAILED = 5, 11
"""Every so many rows, from row 4 and row 10 on."""

Row = dict[str, Any]


def status_of(number: int) -> str:
    """Of a row."""
    if number % FAILED == FAILED - 1:
        return "failed"
    return "rejected" if number % REJECTED == REJECTED - 1 else "ok"


def draw_reported(
    place: str | Location,
    count: int = 30,
    *,
    change: Callable[[Row], None] | None = None,
    run: Mapping[str, Any] | None = None,
    columns: pa.Schema = INDEX,
) -> Location:
    """``change`` may spoil a row; ``run`` is merged into ``run.json``; of the index's ``columns``
    some may be lacking."""
    output = place if isinstance(place, Location) else Location.of(place)
    rows = [_row(output, number) for number in range(count)]
    for row in rows:
        if change is not None:
            change(row)
    held = {
        "schema_version": 1,
        "model": "drawn",
        "model_fingerprint": "f" * 64,
        "config": {"mode": "fast", "judge": {"limits": LIMITS}},
        **(run or {}),
    }
    output.join("run.json").write(json.dumps(held).encode())
    ledger = Ledger(output)
    ledger.claim(columns)
    kept = [{name: row.get(name) for name in columns.names} for row in rows]
    ledger.append(pa.Table.from_pylist(kept, columns))
    return output


def _row(output: Location, number: int) -> Row:
    item, defect = TYPES[number % len(TYPES)]
    name, status = f"r{number:04d}", status_of(number)
    coverage = 0.1 + 0.01 * number if status == "rejected" else 0.6 + 0.01 * (number % 30)
    row: Row = {
        "request_id": name,
        "object": item,
        "defect": defect,
        "status": status,
        "prompt": f"a {item} with a {defect}",
        "seed": 2**60 + number,
        "extras": [],
        "made_by": f"host-{number % 2}:77",
        "made_at": BEGAN + timedelta(seconds=2 * number),
        "seconds": [("sample", 1.5), ("store", 0.25)],
    }
    if status == "failed":
        return {**row, "reason": "placement: does not fit"}
    good, image, mask = _pictures(number)
    row["quality"] = [("coverage", coverage), ("agreement", 0.9), ("seam", 1.0 + number % 7)]
    _keep(output, row, "source", good)
    if status == "rejected":
        row["reason"] = f"coverage {coverage:.3g} is below 0.5"
        _keep(output, row, "rejected", image)
        _keep(output, row, "asked_mask", mask)
        return row
    _keep(output, row, "refined_mask", mask)
    row["image"], row["mask"] = image_key(item, defect, name), mask_key(item, defect, name)
    row["image_sha256"] = _write(output, row["image"], image)
    row["mask_sha256"] = _write(output, row["mask"], mask)
    return row


def _pictures(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Good picture, result and mask: a square of 12 pixels."""
    good = np.full((HEIGHT, WIDTH, 3), 120 + number % 40, np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    top, left = (7 * number) % (HEIGHT - 12), (11 * number) % (WIDTH - 12)
    mask[top : top + 12, left : left + 12] = 255
    image = good.copy()
    image[mask > 0] = (200, 30, 30)
    return good, image, mask


def _keep(output: Location, row: Row, kind: str, pixels: np.ndarray) -> None:
    path = extra_key(row["request_id"], kind)
    row["extras"].append({"name": kind, "path": path, "sha256": _write(output, path, pixels)})


def _write(output: Location, path: str, pixels: np.ndarray) -> str:
    data = encode_png(pixels)
    output.join(path).write(data)
    return sha256(data)
