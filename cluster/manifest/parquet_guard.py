"""A look at a Parquet file before any library opens it.

Opening a file with Arrow extension types runs the types' own loading code (CVE-2026-41486), so the
file's footer is searched as plain bytes first.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct

import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core.faults import InputFault
from cluster.storage.location import Location

MAGIC = b"PAR1"
MAX_FOOTER_BYTES = 256 * 1024 * 1024
SCHEMA_KEY = b"ARROW:schema"
EXTENSION_KEY = b"ARROW:extension:name"
THRIFT_STRING = 0x18
RULE = "columns are plain: no Arrow extension types"


def open_parquet(file: Location) -> pq.ParquetFile:
    """Open ``file`` once it is known to hold plain columns only. Raises :class:`InputFault`."""
    refuse_extension_types(file)
    try:
        parquet = pq.ParquetFile(
            file.fs.open(file.path, "rb"), buffer_size=1 << 20, pre_buffer=False
        )
        schema = parquet.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _refusal(file, f"not a readable Parquet file ({reason})") from error
    for field in schema:
        _refuse_extension_field(file, field.name, field.type)
    return parquet


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
            names = re.findall(rb"[A-Za-z_][\w.]*\.[\w.]+", schema)
            shown = ", ".join(sorted({name.decode() for name in names}))
            raise _refusal(file, f"{RULE} (found {shown})" if shown else RULE)


def _footer(file: Location) -> bytes:
    try:
        size = file.fs.size(file.path)
        with file.fs.open(file.path, "rb") as opened:
            opened.seek(max(0, size - 8))
            tail = opened.read(8)
            length = struct.unpack("<I", tail[:4])[0] if len(tail) == 8 else 0
            if tail[4:] != MAGIC or not 0 < length <= min(size - 8, MAX_FOOTER_BYTES):
                raise _refusal(file, "not a Parquet file")
            opened.seek(size - 8 - length)
            return opened.read(length)
    except OSError as error:
        raise _refusal(file, f"cannot be read ({type(error).__name__})") from error


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
        raise InputFault(f"manifest {file.shown!r}: column {name}: {str(kind)!r}: {RULE}")
    for index in range(kind.num_fields):
        inner = kind.field(index)
        _refuse_extension_field(file, f"{name}.{inner.name}", inner.type)


def _refusal(file: Location, rule: str) -> InputFault:
    return InputFault.of("manifest", file.shown, rule)
