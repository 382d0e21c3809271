"""What of a manifest is committed already."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as kinds

from adabldm.core.faults import InputFault
from cluster.manifest.reader import Manifest
from cluster.manifest.roster import Roster
from cluster.output.index import Ledger
from cluster.output.schema import FAILED, INDEX

SHOWN_FAULTS = 50
PLAIN_FIELDS = ("object", "defect", "prompt", "negative_prompt", "seed")
HASHED_FIELDS = {"image": "source", "trimap": "trimap", "model": "model"}
"""Field of a row: the fingerprint that stands for its content."""
INDEX_HASHES = {
    "image": "source_sha256",
    "trimap": "trimap_sha256",
    "model": "model_fingerprint",
}


def index_schema(manifest: Manifest, ledger: Ledger) -> pa.Schema:
    """The index's columns with the manifest's further ones.

    Raises :class:`InputFault` for a column that cannot ride along.
    """
    held = ledger.columns()
    for field in manifest.riding:
        column = f"column {field.name}"
        if field.name in INDEX.names:
            raise InputFault.of("manifest", column, "is a name of the index's own")
        if not _can_ride(field.type):
            rule = f"is {field.type}: only plain values and lists of them can ride along"
            raise InputFault.of("manifest", column, rule)
        if field.name in held.names and held.field(field.name).type != ride_type(field.type):
            rule = f"is {field.type}, the index has {held.field(field.name).type}"
            raise InputFault.of("manifest", column, rule)
    riding = [pa.field(field.name, ride_type(field.type)) for field in manifest.riding]
    return pa.schema([*INDEX, *riding])


def _can_ride(kind: pa.DataType) -> bool:
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        return _can_ride(kind.value_type)
    if kinds.is_dictionary(kind):
        return _can_ride(kind.value_type)
    if kinds.is_uint64(kind):
        return False
    tests: tuple[Callable[[pa.DataType], bool], ...] = (
        kinds.is_string,
        kinds.is_large_string,
        kinds.is_integer,
        kinds.is_floating,
        kinds.is_boolean,
        kinds.is_binary,
        kinds.is_timestamp,
        kinds.is_date32,
        kinds.is_null,
    )
    return any(test(kind) for test in tests)


def ride_type(kind: pa.DataType) -> pa.DataType:
    """The type in which a column is kept: the nearest that Delta Lake has."""
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        return pa.list_(pa.field("element", ride_type(kind.value_type)))
    if kinds.is_dictionary(kind):
        return ride_type(kind.value_type)
    if kinds.is_large_string(kind) or kinds.is_null(kind):
        return pa.string()
    if kinds.is_unsigned_integer(kind):
        return pa.int64()
    if kinds.is_float16(kind):
        return pa.float32()
    if kinds.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    return kind


def mark_committed(manifest: Manifest, ledger: Ledger, roster: Roster) -> int:
    """Mark in ``roster`` what ``ledger`` holds; returns how many of these are ``failed``.

    Raises :class:`InputFault` for a committed id whose request is another one now.
    """
    failed = 0
    changed: list[str] = []
    for batch in ledger.read(["request_id", "request_fingerprint", "status"]):
        ids, prints, statuses = (column.to_pylist() for column in batch.columns)
        known = roster.find(ids)
        roster.mark_done(known)
        for request_id, fingerprint, status in zip(ids, prints, statuses, strict=True):
            if request_id in known:
                failed += status == FAILED
                if fingerprint != known[request_id].request:
                    changed.append(request_id)
    if changed:
        raise InputFault(*_changes(manifest, ledger, roster, changed))
    return failed


def _changes(manifest: Manifest, ledger: Ledger, roster: Roster, changed: list[str]) -> list[str]:
    """A line for each field in which a committed request differs from the manifest's."""
    shown = changed[:SHOWN_FAULTS]
    quoted = ", ".join("'" + request_id.replace("'", "''") + "'" for request_id in shown)
    columns = ["request_id", *PLAIN_FIELDS, *INDEX_HASHES.values()]
    held = {
        row["request_id"]: row
        for batch in ledger.read(columns, f"request_id IN ({quoted})")
        for row in batch.to_pylist()
    }
    prints = roster.find(shown)
    lines = []
    for start, rows in manifest.chunks():
        for number, row in enumerate(rows, start):
            request_id = row["request_id"]
            if request_id not in held:
                continue
            now = {**row, "negative_prompt": row.get("negative_prompt") or ""}
            before = held[request_id]
            pairs = [(name, now[name], before[name]) for name in PLAIN_FIELDS]
            for name, attribute in HASHED_FIELDS.items():
                content = getattr(prints[request_id], attribute)
                pairs.append((name, f"sha256 {content[:12]}", before[INDEX_HASHES[name]]))
            for name, value, old in pairs:
                same = old == value or (name in INDEX_HASHES and old.startswith(value[7:]))
                if not same:
                    short = f"sha256 {old[:12]}" if name in INDEX_HASHES else repr(old)
                    lines.append(
                        f"row {number} (request_id {request_id!r}): {name}: {value!r}: "
                        f"the output holds this request made with {short}"
                    )
    if len(changed) > len(shown):
        lines.append(f"... {len(changed) - len(shown)} more; {len(changed)} requests differ")
    return lines
