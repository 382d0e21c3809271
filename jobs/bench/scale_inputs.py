"""A manifest, a roster and an index of millions of requests, made in minutes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core import trimap
from adabldm.core.images import encode_png
from adabldm.data.drawn_metal import draw_part
from cluster.generate.protocol import OK
from cluster.manifest.reader import Manifest, Row
from cluster.manifest.request_checks import Fingerprints, RequestChecks, fingerprints
from cluster.manifest.roster import Roster
from cluster.manifest.schema import SCHEMA
from cluster.models.inspect import ModelFacts
from cluster.models.row_models import RowModels
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.storage.location import Location

MODEL, PRINT = "sleep://0", "0" * 64
PART = 100_000
"""Rows of a row group, and of a commit that fills a ledger."""
PICTURE = "plate/test/crack/one.png"


def _id(number: int) -> str:
    return f"plate-crack-s1-{number:09d}"


def _print(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def write_manifest(folder: Path, rows: int) -> Path:
    """A manifest of so many requests with one picture."""
    files = folder / "files"
    files.mkdir(parents=True)
    part = draw_part(0, 48, "blowhole")
    (files / "good.png").write_bytes(encode_png(part.image))
    (files / "trimap.png").write_bytes(encode_png(trimap.compose(part.mask)))
    path = folder / "manifest.parquet"
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for start in range(0, rows, PART):
            numbers = range(start, min(rows, start + PART))
            writer.write_table(pa.Table.from_pylist([_asked(n) for n in numbers[:1]], SCHEMA))
            writer.write_table(_many(numbers[1:]))
    return path


def _asked(number: int) -> Row:
    return {
        "request_id": _id(number),
        "object": "plate",
        "defect": "crack",
        "image": {"bytes": None, "path": "files/good.png"},
        "trimap": {"bytes": None, "path": "files/trimap.png"},
        "prompt": "a crack in a plate",
        "seed": number,
    }


def _many(numbers: range) -> pa.Table:
    """As :func:`_asked`, quickly."""
    one = pa.Table.from_pylist([_asked(0)], SCHEMA)
    same = one.take(pa.array(np.zeros(len(numbers), np.int64)))
    ids, seeds = pa.array([_id(n) for n in numbers]), pa.array(numbers, pa.int64())
    same = same.set_column(0, SCHEMA.field("request_id"), ids)
    return same.set_column(SCHEMA.get_field_index("seed"), SCHEMA.field("seed"), seeds)


def checks_of(path: Path) -> tuple[Manifest, RequestChecks]:
    manifest = Manifest(str(path))

    def inspect(uri: str) -> ModelFacts:
        return ModelFacts(uri=uri, fingerprint=PRINT)

    return manifest, RequestChecks(
        manifest, RowModels(manifest.resolve, inspect(MODEL), inspect, {})
    )


def filled_roster(manifest: Manifest, checks: RequestChecks, done: int) -> Roster:
    """What a check of ``manifest`` would have found; the rows up to ``done`` have prints made of
    their ids, as the ledger's have, the others their own."""
    roster = Roster()
    first = checks.check(_asked(0))
    for number in range(manifest.rows):
        if number < done:
            prints = Fingerprints(_print(_id(number)), first.source, first.trimap, first.model)
        else:
            row: dict[str, Any] = _asked(number)
            prints = fingerprints(row, first.source, first.trimap, first.model)
        roster.add(_id(number), number, prints)
    return roster


def index_rows(start: int, size: int) -> pa.Table:
    """Rows of an index, with ids and fingerprints of their own."""
    names = [_id(number) for number in range(start, start + size)]
    row = {
        "object": "plate",
        "defect": "crack",
        "status": OK,
        "image": PICTURE,
        "mask": PICTURE,
        "image_sha256": PRINT,
        "mask_sha256": PRINT,
        "extras": [],
        "prompt": "a crack in a plate",
        "model": MODEL,
        "quality": [("coverage", 0.5)],
        "seconds": [("sleep", 1.0)],
    }
    one = pa.Table.from_pylist([row], INDEX)
    table = one.take(pa.array(np.zeros(size, np.int64)))
    for name, values in (("request_id", names), ("request_fingerprint", list(map(_print, names)))):
        place = INDEX.get_field_index(name)
        table = table.set_column(place, INDEX.field(name), pa.array(values))
    return table


def filled_ledger(folder: Path, rows: int) -> Ledger:
    """An index of so many rows."""
    ledger = Ledger(Location.of(str(folder)))
    ledger.claim(INDEX)
    for start in range(0, rows, PART):
        ledger.append(index_rows(start, min(PART, rows - start)))
    return ledger
