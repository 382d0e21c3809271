"""A look at a Parquet file before any library opens it.

Opening a file with Arrow extension types runs the types' own loading code (CVE-2026-41486), so the
file's footer is searched as plain bytes first.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import time
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core.faults import InputFault, JobFault, one_line
from cluster.manifest.arrow_message import extension_columns
from cluster.manifest.bounds import columns_once
from cluster.storage.doubt import FINAL, undenied
from cluster.storage.insistent_file import StoreAway, open_insistently
from cluster.storage.location import Location, passes

MAGIC, ENCRYPTED = b"PAR1", b"PARE"
_PANDAS = "pandas: read_{}(...).to_parquet('manifest.parquet')"
CONVERSIONS = {
    "csv": _PANDAS.format("csv"),
    "json": _PANDAS.format("json"),
    "jsonl": _PANDAS.format("json"),
    "xlsx": _PANDAS.format("excel"),
}
"""How a table in another format is made one in Parquet, by its suffix."""
MAX_FOOTER_BYTES = 256 * 1024 * 1024
SCHEMA_KEY = b"ARROW:schema"
EXTENSION_KEY = b"ARROW:extension:name"
LOOKS_AGAIN = (0.2, 0.8, 2.0, 4.0)
"""Seconds before a file in a store is looked at again."""
THRIFT_STRING = 0x18
FOR_DICTIONARIES = {"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"}
"""Encodings of columns that Arrow can read as dictionaries."""
RULE = "columns are plain: no Arrow extension types (cast it to text or to numbers)"


def open_parquet(file: Location, *, values_once: bool = False) -> pq.ParquetFile:
    """Open ``file`` once it is known to hold plain columns only; with ``values_once`` columns of
    texts and pictures come as dictionaries, as they are stored. What a store gives is looked at
    again before it is refused.

    Raises :class:`InputFault`, and :class:`JobFault` for a store that stays away.
    """
    for seconds in () if file.is_local else LOOKS_AGAIN:
        try:
            return _opened(file, values_once)
        except (InputFault, JobFault) as fault:
            if isinstance(fault.__cause__, FINAL):  # it was asked for long enough
                raise
        time.sleep(seconds)
    return _opened(file, values_once)


def _opened(file: Location, values_once: bool) -> pq.ParquetFile:
    refuse_extension_types(file)
    try:
        parquet = pq.ParquetFile(open_insistently(file), buffer_size=1 << 20, pre_buffer=False)
        schema = parquet.schema_arrow
        once = columns_once(schema, parquet.metadata) if values_once else []
        names = _as_dictionaries(parquet.metadata, once)
        if names:
            parquet.close()
            parquet = pq.ParquetFile(
                open_insistently(file),
                buffer_size=1 << 20,
                pre_buffer=False,
                read_dictionary=names,
            )
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, StoreAway):
            raise JobFault(f"{file.shown}: cannot be read ({one_line(error)})") from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _refusal(file, f"not a readable Parquet file ({reason})") from error
    for field in schema:
        _refuse_extension_field(file, field.name, field.type)
    return parquet


def _as_dictionaries(metadata: pq.FileMetaData, names: Sequence[str]) -> list[str]:
    """Those of the columns ``names`` that Arrow can read as dictionaries: it cannot where any part
    of one is delta-coded, and there a text is stored as often as it is used."""
    others = set()
    for group in range(metadata.num_row_groups):
        parts = metadata.row_group(group)
        for number in range(metadata.num_columns):
            part = parts.column(number)
            if not set(part.encodings) <= FOR_DICTIONARIES:
                others.add(part.path_in_schema)
    return [name for name in names if name not in others]


def refuse_extension_types(file: Location) -> None:
    """Raise :class:`InputFault` if the footer of ``file`` names an extension type."""
    footer = _footer(file)
    if EXTENSION_KEY in footer:
        raise _refusal(file, RULE)
    for found in re.finditer(re.escape(SCHEMA_KEY), footer):
        try:
            schema = _thrift_string(footer, found.end())
        except (IndexError, binascii.Error, ValueError) as error:
            raise _refusal(file, f"its {SCHEMA_KEY.decode()} cannot be read") from error
        if EXTENSION_KEY in schema:
            columns = extension_columns(schema, EXTENSION_KEY)
            told = ", ".join(f"column {name!r} is {kind}" for name, kind in columns)
            raise _refusal(file, f"{told}: {RULE}" if told else RULE)


def _footer(file: Location) -> bytes:
    try:
        size = undenied(file, lambda: file.fs.size(file.path))
        with open_insistently(file) as opened:
            opened.seek(max(0, size - 8))
            tail = opened.read(8)
            length = struct.unpack("<I", tail[:4])[0] if len(tail) == 8 else 0
            if tail[4:] == ENCRYPTED:
                raise _refusal(file, "is an encrypted Parquet file")
            if tail[4:] != MAGIC or not 0 < length <= min(size - 8, MAX_FOOTER_BYTES):
                raise _refusal(file, f"not a Parquet file{_instead(file)}")
            opened.seek(size - 8 - length)
            return opened.read(length)
    except OSError as error:
        if passes(file, error):
            raise JobFault(f"{file.shown}: cannot be read ({one_line(error)})") from error
        raise _refusal(file, f"cannot be read ({type(error).__name__})") from error


def _instead(file: Location) -> str:
    suffix = file.name.lower().rpartition(".")[2]
    if file.fs.size(file.path) == 0:
        return ": it is empty"
    return f": {CONVERSIONS[suffix]}" if suffix in CONVERSIONS else ""


def _thrift_string(footer: bytes, at: int) -> bytes:
    """Base64-decode the compact-Thrift string that starts at ``at``, as Parquet writers put it."""
    if footer[at] != THRIFT_STRING:
        raise ValueError("not a string field")
    length, shift = 0, 0
    while True:
        at += 1
        length |= (footer[at] & 0x7F) << shift
        shift += 7
        if footer[at] < 0x80:
            break
    encoded = footer[at + 1 : at + 1 + length]
    if len(encoded) != length:
        raise ValueError("cut short")
    return base64.b64decode(encoded, validate=True)


def _refuse_extension_field(file: Location, name: str, kind: pa.DataType) -> None:
    if isinstance(kind, pa.BaseExtensionType):
        shown = re.sub(r"^extension<(.*)>$", r"\1", str(kind))
        raise _refusal(file, f"column {name!r} is {shown}: {RULE}")
    for index in range(kind.num_fields):
        inner = kind.field(index)
        _refuse_extension_field(file, f"{name}.{inner.name}", inner.type)


def _refusal(file: Location, rule: str) -> InputFault:
    return InputFault.of("manifest", file.shown, rule)
