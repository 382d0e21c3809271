"""Manifests to run and to spoil."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core.images import encode_png
from adabldm.data.drawn_metal import draw_part
from cluster.manifest.reader import Manifest
from cluster.manifest.request_checks import RequestChecks
from cluster.manifest.schema import SCHEMA
from cluster.models.catalog import FoundBranch
from cluster.models.inspect import ModelFacts
from cluster.models.kinds import inspect_model
from cluster.models.row_models import RowModels
from cluster.output.index import Ledger
from cluster.storage.location import Location

Row = dict[str, Any]
SIZE = 48
GOOD = 3


@cache
def good_png(number: int) -> bytes:
    """A good image."""
    return encode_png(draw_part(number, SIZE).image)


@cache
def trimap_png(number: int) -> bytes:
    """Its trimap."""
    mask = draw_part(number, SIZE, "blowhole").mask
    return encode_png(np.where(mask > 0, 255, 127).astype(np.uint8))


@cache
def mask_png() -> bytes:
    """A defect mask, 6 x 9 pixels of defect."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[10:16, 20:29] = 255
    return encode_png(mask)


def rows_of(count: int) -> list[Row]:
    """Rows that are right; every third is placed, the others have their trimap."""
    rows: list[Row] = []
    for number in range(count):
        placed = number % 3 == 2
        recipe = {"mask": {"path": "files/mask.png"}, "angle": 30.0, "scale": 1.1}
        rows.append(
            {
                "request_id": f"r{number:04d}",
                "object": "metal",
                "defect": ("crack", "blowhole")[number % 2],
                "image": {"path": f"files/good{number % GOOD}.png"},
                "trimap": None if placed else {"path": f"files/trimap{number % GOOD}.png"},
                "placement": {**recipe, "top": 3, "left": 5, "foreground": None}
                if placed
                else None,
                "prompt": "a crack in metal",
                "negative_prompt": None,
                "seed": number,
                "model": None,
            }
        )
    return rows


def write_manifest(
    folder: Path, count: int = 6, change: Callable[[list[Row]], None] | None = None
) -> Path:
    """Write pictures and ``manifest.parquet``; ``change`` may spoil its rows first."""
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    for number in range(GOOD):
        (files / f"good{number}.png").write_bytes(good_png(number))
        (files / f"trimap{number}.png").write_bytes(trimap_png(number))
    (files / "mask.png").write_bytes(mask_png())
    rows = rows_of(count)
    if change is not None:
        change(rows)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    table = table.append_column("note", pa.array([f"note {i}" for i in range(len(rows))]))
    path = folder / "manifest.parquet"
    pq.write_table(table, path)
    return path


def checks_of(
    manifest: Manifest,
    model: str = "sleep://0",
    branches: Mapping[str, FoundBranch] = MappingProxyType({}),
) -> RequestChecks:
    """Checks of rows for ``model``; that of a model without files needs no true fingerprint."""

    def inspect(uri: str) -> ModelFacts:
        if Path(uri).is_dir():
            return inspect_model(uri)
        return ModelFacts(uri=uri, fingerprint="fingerprint")

    models = RowModels(manifest.resolve, inspect(model), inspect, branches)
    return RequestChecks(manifest, models)


def index_of(output: str | Path) -> list[Row]:
    """The index's rows, by id."""
    rows = [row for b in Ledger(Location.of(str(output))).read() for row in b.to_pylist()]
    return sorted(rows, key=lambda row: row["request_id"])


def hashes_of(output: str | Path) -> dict[str, tuple[str, str]]:
    """The files' sha256 by id; each id is there once."""
    rows = index_of(output)
    hashes = {row["request_id"]: (row["image_sha256"], row["mask_sha256"]) for row in rows}
    assert len(hashes) == len(rows)
    return hashes


def rows_with_whole_paths(manifest: str) -> list[Row]:
    """The rows of a local manifest, every path as the URI that it stands for."""
    folder = Path(manifest).parent.as_uri()

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: f"{folder}/{item}" if name == "path" and item else whole(item)
            for name, item in value.items()
        }

    return [whole(row) for row in pq.read_table(manifest).to_pylist()]
