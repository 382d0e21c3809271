"""Manifests: read, checked, and their rows decoded as a worker does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core import images
from adabldm.core.faults import InputFault
from adabldm.core.trimap import TrimapFault
from adabldm.placement.transform import PlacementFault
from cluster.generate import decoding
from cluster.generate.index_columns import index_schema
from cluster.generate.protocol import Request, Work, work_table, works_of
from cluster.manifest.picture_checks import PictureFault
from cluster.manifest.reader import Manifest
from cluster.manifest.schema import SCHEMA
from cluster.manifest.validation import validate
from cluster.models.row_models import RowModel
from cluster.storage.hashing import sha256
from tests.fuzz.case import Answer, Case
from tests.fuzz.drawing import draw_picture
from tests.fuzz.mask_drawing import draw_mask
from tests.fuzz.spoiling import spoil
from tests.support.making import checks_of, rows_of, write_manifest

Row = dict[str, Any]
TEXTS = ("", " ", "a/b", "..", "x" * 300, "\u6f22", "cafe\u0301", "a\nb", "a\x00b", "con",
         "index", ".x",
         "r0001", "R0001", "\U0001f600", "a:b", "\u202ex", "nul", None)  # fmt: skip
PATHS = ("", "files", "files/none.png", "../x.png", "/etc/passwd", "s3://b/k", "http://h/x", "nope://x",
         "files/./good0.png", "files//good0.png", "FILES/good0.png", "files\\good0.png", "~",
         "~root/x",
         "file://files/good0.png", "memory://x", "data:image/png;base64,AA", "simplecache::x",
         "a\x00b",
         "files/good0.png#xywh=0,0,1,1", "x" * 5000, "files/" + "d/" * 200, "zip://x::y",
         "C:\\x.png",
         "local://x", "file:files/good0.png", "dir://x", "reference://", "github://a:b@/x", ":",
         "//",
         "http://[::1", "blockcache://x", "libarchive://x", "file://", "ftp://x:y/z", ".",
         None)  # fmt: skip
NUMBERS = (0.0, -0.0, 1.0, 1e-300, 1e300, -1.0, float("nan"), float("inf"), 1e-3, 30.0, 3.5, None)
WHOLES = (0, -1, 3, 2**31 - 1, -(2**31), 40, None)
SEEDS = (0, -1, 2**63 - 1, -(2**63), None)


def run(case: Case) -> None:
    root = case.folder / "plan"
    how = case.rng.random()
    changes = 0 if how < 0.1 else case.rng.choice((1, 1, 2, 5))

    def change(rows: list[Row]) -> None:
        for _ in range(changes if how < 0.6 else 0):
            _change_row(case, case.rng.choice(rows))

    path = write_manifest(root, case.rng.choice((1, 3, 6)), change)
    uri = str(root) if case.rng.random() < 0.3 else str(path)
    if 0.6 <= how < 0.82:
        _change_table(case, path)
    elif how >= 0.82:
        path.write_bytes(spoil_parquet(case, path.read_bytes()))
    if case.rng.random() < 0.25:
        _change_files(case, root)
    if case.rng.random() < 0.2:
        uri = str(root)
        _further_part(case, root, path)
    through(case, uri)


def _change_row(case: Case, row: Row) -> None:
    field = case.rng.choice((*row, "placement", "image", "image", "placement"))
    if field in ("image", "trimap"):
        row[field] = _any_blob(case)
    elif field == "placement":
        row["placement"] = _any_recipe(case)
        if case.rng.random() < 0.8:
            row["trimap"] = None
    elif field == "seed":
        row[field] = case.rng.choice(SEEDS)
    else:
        row[field] = case.rng.choice(TEXTS)


def _any_blob(case: Case) -> Row | None:
    how = case.rng.random()
    if how < 0.1:
        return None
    if how < 0.4:
        return {"path": case.rng.choice(PATHS), "bytes": None}
    if how < 0.55:
        return {"path": f"files/{case.rng.choice(('good0', 'trimap1', 'mask'))}.png", "bytes": None}
    data = case.rng.choice((draw_picture, draw_mask))(case).data
    if case.rng.random() < 0.2:
        data = spoil(case.rng, data)
    return {
        "path": case.rng.choice((None, "x.png")),
        "bytes": case.rng.choice((data, data, data, b"")),
    }


def _any_set_down(case: Case) -> Row:
    found: Row = {
        "mask": {"path": "files/mask.png"},
        "angle": 30.0,
        "scale": 1.1,
        "top": 3,
        "left": 5,
    }
    for name in case.rng.sample(list(found), case.rng.choice((0, 1, 1, 2))):
        if name == "mask":
            found[name] = _any_blob(case)
        else:
            found[name] = case.rng.choice(NUMBERS if name in ("angle", "scale") else WHOLES)
    return found


def _any_recipe(case: Case) -> Row | None:
    found = {**_any_set_down(case), "foreground": None, "more": None}
    if case.rng.random() < 0.3:
        found["foreground"] = case.rng.choice(
            ({"path": "files/mask.png"}, {"path": "files/trimap0.png"}, _any_blob(case))
        )
    if case.rng.random() < 0.3:
        found["more"] = [_any_set_down(case), *case.rng.choice(([], [None], [_any_set_down(case)]))]
    return case.rng.choice((found, found, found, None))


def _random_array(case: Case, count: int) -> pa.Array:
    """A column of some kind."""
    makers: tuple[Callable[[], pa.Array], ...] = (
        lambda: pa.array(range(count)),
        lambda: pa.array([None] * count),
        lambda: pa.array([f"x{i}" for i in range(count)]).dictionary_encode(),
        lambda: pa.array([b"\xff\xfe"] * count, pa.binary()),
        lambda: pa.array(["x"] * count, pa.large_string()),
        lambda: pa.array([[1, None]] * count),
        lambda: pa.array([{"a": 1}] * count),
        lambda: pa.array([{"bytes": b"x", "path": "p", "more": 1}] * count),
        lambda: pa.array([2**64 - 1] * count, pa.uint64()),
        lambda: pa.array([1.5] * count, pa.float16()),
        lambda: pa.array([float("nan")] * count),
        lambda: pa.array([True] * count),
        lambda: pa.array([10**18] * count, pa.timestamp("ns")),
        lambda: pa.array([10**18] * count, pa.timestamp("us")),
        lambda: pa.array([10**6] * count, pa.date32()),
        lambda: pa.array([1] * count, pa.decimal128(38, 10)),
        lambda: pa.array([1] * count, pa.duration("us")),
        lambda: pa.array([[("a", 1)]] * count, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array([[[1]]] * count),
        lambda: pa.array([f"files/good{i % 3}.png" for i in range(count)]),
        lambda: pa.array([10**13] * count, pa.time64("us")),
        lambda: pa.array([b"abc"] * count, pa.binary(3)),
    )
    return case.rng.choice(makers)()


def _change_table(case: Case, path: Path) -> None:
    table = pq.read_table(path)
    for _ in range(case.rng.choice((1, 1, 2))):
        names = table.column_names
        column = case.rng.choice(names)
        at = names.index(column)
        how = case.rng.choice(
            ("type", "type", "drop", "add", "twice", "rename", "rows", "shuffle", "null")
        )
        if how == "type":
            table = table.set_column(at, column, _random_array(case, len(table)))
        elif how == "drop":
            table = table.select([i for i in range(len(names)) if i != at])
        elif how == "add":
            name = case.rng.choice(
                ("x", "status", "Status", "image_sha256", "", "a.b", "\u6f22", "NOTE", "a b,c")
            )
            table = table.append_column(name, _random_array(case, len(table)))
        elif how == "twice":
            table = table.append_column(column, table.column(at))
        elif how == "rename":
            new = case.rng.choice((column.upper(), f" {column}", "", "path", column + "\u200b"))
            table = table.rename_columns([new if n == column else n for n in names])
        elif how == "rows":
            table = case.rng.choice((table.slice(0, 0), pa.concat_tables([table] * 2)))
        elif how == "shuffle":
            table = table.select(case.rng.sample(range(len(names)), len(names)))
        else:
            table = table.set_column(at, column, pa.nulls(len(table), table.column(at).type))
        if not table.column_names:
            break
    pq.write_table(table, path, compression=case.rng.choice(("none", "snappy", "zstd", "gzip")))


def spoil_parquet(case: Case, data: bytes) -> bytes:
    """A Parquet file with changed bytes, its magic and its footer's length mostly in place."""
    if case.rng.random() < 0.4:
        return spoil(case.rng, data)
    length = int.from_bytes(data[-8:-4], "little")
    cut = len(data) - 8 - length
    body, footer = data[:cut], data[cut:-8]
    if case.rng.random() < 0.5:
        body = body[:4] + spoil(case.rng, body[4:])
    else:
        footer = spoil(case.rng, footer)
    return body + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _change_files(case: Case, root: Path) -> None:
    path = case.rng.choice(sorted((root / "files").iterdir()))
    how = case.rng.choice(("spoil", "remove", "empty", "link", "folder", "other"))
    if how == "spoil":
        path.write_bytes(spoil(case.rng, path.read_bytes()))
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "other":
        path.write_bytes(draw_picture(case).data)
    else:
        path.unlink()
        if how == "link":
            path.symlink_to(case.rng.choice((path.name, "good0.png", "/etc/passwd")))
        elif how == "folder":
            path.mkdir()


def _further_part(case: Case, root: Path, path: Path) -> None:
    name = case.rng.choice(
        ("part2.parquet", "_x.parquet", "a b.parquet", "sub/p.parquet", "x.PARQUET", "n.parquet")
    )
    (root / name).parent.mkdir(exist_ok=True)
    if case.rng.random() < 0.6:
        rows = [{**row, "request_id": f"s{n}"} for n, row in enumerate(rows_of(2))]
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        table = table.append_column("note", pa.array(["a", "b"]))
        if case.rng.random() < 0.3:
            table = table.drop_columns([case.rng.choice(table.column_names)])
        pq.write_table(table, root / name)
    elif case.rng.random() < 0.5:
        (root / name).write_bytes(case.rng.choice((b"", b"PAR1", path.read_bytes())))
    else:
        (root / name).mkdir()


class _NoLedger:
    def columns(self) -> pa.Schema:
        return pa.schema([])


def through(case: Case, uri: str) -> None:
    """Open, count, check, and decode what was taken."""
    opened = case.call("manifest", (InputFault,), lambda: Manifest(uri))
    manifest = opened.value
    if manifest is None:
        return
    chunks = case.call(
        "rows", (InputFault,), lambda: [row for _, rows in manifest.chunks() for row in rows]
    )
    if chunks.value is not None:
        case.require("rows", len(chunks.value) == manifest.rows, "other rows than were told")
    case.call("riding", (InputFault,), lambda: index_schema(manifest, _NoLedger()))  # type: ignore[arg-type]
    checked = case.call("validate", (InputFault,), lambda: validate(manifest, checks_of(manifest)))
    if checked.value is None:
        return
    roster = checked.value
    try:
        case.require("validate", roster.count() == manifest.rows, "other rows than are checked")
        case.require("validate", chunks.accepted, "takes what cannot be read", chunks.refusal)
    finally:
        roster.close()
    decode_all(case, manifest)


def decode_all(case: Case, manifest: Manifest) -> None:
    """Every row of a checked manifest is work that a worker decodes."""
    for _, rows in manifest.chunks():
        for row in rows:
            _decode(case, manifest, row)


def _decode(case: Case, manifest: Manifest, row: Row) -> None:
    def work() -> Work:
        Request.of(row)
        blob = row["image"]
        data = blob.get("bytes")
        if data is None:
            data = manifest.resolve(blob["path"]).read()
        made = Work.of(
            row, RowModel(model="m", model_fingerprint="f"), sha256(data), manifest.resolve
        )
        return works_of(work_table([made]))[0]

    made = case.call("work", (), work)
    if made.value is None:
        return
    faults = (PictureFault, PlacementFault, TrimapFault, OSError)
    decoded: Answer[decoding.Decoded] = case.call(
        "worker", faults, lambda: decoding.decode(made.value)
    )  # type: ignore[arg-type]
    if decoded.refused and not _is_broken_inside(case, manifest, row):
        case.require("worker", False, "does not decode what was checked", (decoded.refusal, row))


def _is_broken_inside(case: Case, manifest: Manifest, row: Row) -> bool:
    """Whether the good image has a right header and broken pixels: only decoding tells."""
    blob = row["image"]
    data = blob.get("bytes")
    if data is None:
        data = manifest.resolve(blob["path"]).read()
    try:
        images.decode(data)
    except images.ImageFault:
        return True
    return False
