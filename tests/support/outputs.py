"""An output of ``generate``, drawn: its files and its index, without any worker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.ndimage import gaussian_filter

from adabldm.core.images import encode_png
from cluster.output.index import Ledger
from cluster.output.paths import extra_key, image_key, mask_key
from cluster.output.schema import INDEX
from cluster.storage.hashing import sha256
from cluster.storage.location import Location

HEIGHT, WIDTH = 40, 56
TYPES = (("nut", "crack"), ("nut", "hole"), ("cap", "crack"))
KEPT = 3
"""Good pictures, of each object, that the pairs were made on."""


def draw_output(
    place: str | Location,
    count: int,
    *,
    types: Sequence[tuple[str, str]] = TYPES[:2],
    keep: bool = True,
    statuses: Mapping[int, str] | None = None,
    columns: Mapping[str, Sequence[Any]] | None = None,
    first: int = 0,
    quality: Sequence[tuple[str, float]] = (("defect_change", 9.5),),
) -> Location:
    """Rows ``first`` to ``count``, of ``types`` in turn, grey and coloured; ``statuses`` of rows
    that are not ok; further ``columns``."""
    output = place if isinstance(place, Location) else Location.of(place)
    rows = [
        _row(output, number, types, keep, (statuses or {}).get(number, "ok"))
        for number in range(first, count)
    ]
    for row in rows:
        row["quality"] = list(quality)
    table = pa.Table.from_pylist(rows, INDEX)
    for name, values in (columns or {}).items():
        table = table.append_column(name, pa.array(values[first:count]))
    output.join("run.json").write(json.dumps({"schema_version": 1}).encode())
    ledger = Ledger(output)
    ledger.claim(table.schema)
    ledger.append(table)
    return output


def _row(
    output: Location, number: int, types: Sequence[tuple[str, str]], keep: bool, status: str
) -> dict[str, Any]:
    item, defect = types[number % len(types)]
    name = f"r{number:04d}.v{number % 2}"  # with a dot, as names may have
    row: dict[str, Any] = {"request_id": name, "object": item, "defect": defect, "status": status}
    row |= {"prompt": f"a {defect}", "seed": number}
    if status != "ok":
        return {**row, "reason": "drawn so"}
    rng = np.random.default_rng(number)
    shape = (HEIGHT, WIDTH) if number % 3 else (HEIGHT, WIDTH, 3)
    mask = gaussian_filter(rng.normal(size=(HEIGHT, WIDTH)), 2.5) > 0.13
    mask[20:26, 10:18] = True
    mask[22:24, 12:15] = False
    files = {
        "image": (image_key(item, defect, name), rng.integers(0, 256, shape, np.uint8)),
        "mask": (mask_key(item, defect, name), np.where(mask, 255, 0).astype(np.uint8)),
    }
    for part, (path, pixels) in files.items():
        row |= {part: path, f"{part}_sha256": _write(output, path, pixels)}
    source = extra_key(name, "source")
    good = np.full((HEIGHT, WIDTH), 10 * (number % KEPT) + 7, np.uint8)
    kept = [{"name": "source", "path": source, "sha256": _write(output, source, good)}]
    return {**row, "extras": kept if keep else []}


def _write(output: Location, path: str, pixels: np.ndarray) -> str:
    data = encode_png(pixels)
    output.join(path).write(data)
    return sha256(data)


def true_mask(output: Location, row: Mapping[str, Any]) -> np.ndarray:
    """bool (H, W)."""
    from adabldm.core.images import decode

    return decode(output.join(row["mask"]).read(), "L") > 0
