"""Columns as they come from other programs, made into those of the manifest's schema."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from cluster.manifest.riding import is_bytes, is_text
from cluster.manifest.schema import BLOB

EXACT_FLOATS = 2**53


def misfit(found: pa.DataType, expected: pa.DataType, name: str) -> str | None:
    """Why a column ``name`` cannot be made into one of ``expected``, or None.

    A picture may be a plain path or plain bytes, and may lack one of its two fields.
    """
    if kinds.is_dictionary(found):
        found = found.value_type
    if kinds.is_null(found):
        return None
    if kinds.is_struct(expected) and kinds.is_struct(found):
        return _struct_misfit(found, expected, name)
    if kinds.is_list(expected) and (kinds.is_list(found) or kinds.is_large_list(found)):
        return misfit(found.value_type, expected.value_type, f"{name}[]")
    if _fits(found, expected):
        return None
    return f"column {name!r} is {found}, it must be {expected}"


def _struct_misfit(found: pa.DataType, expected: pa.DataType, name: str) -> str | None:
    known = {child.name: child.type for child in expected}
    for child in found:
        if child.name not in known:
            return f"column {name!r} has a field {child.name!r} that is not known"
        if rule := misfit(child.type, known[child.name], f"{name}.{child.name}"):
            return rule
    return None


def _fits(found: pa.DataType, expected: pa.DataType) -> bool:
    if expected == BLOB:
        return is_text(found) or is_bytes(found)
    if kinds.is_string(expected):
        return is_text(found)
    if kinds.is_binary(expected):
        return is_bytes(found)
    if kinds.is_integer(expected):
        # A column of integers with gaps is one of floats in pandas; its values are looked at.
        return _is_number(found) if kinds.is_int64(expected) else kinds.is_integer(found)
    return kinds.is_floating(expected) and _is_number(found)


def _is_number(kind: pa.DataType) -> bool:
    return kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind)


def conform(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """``column`` with the form of ``kind``. Raises ``pa.ArrowException`` for a value that has no
    place there; numbers asked for as integers stay as they are."""
    found = column.type
    if found == kind or (kinds.is_integer(kind) and _is_number(found)):
        return column
    if column.null_count == len(column):
        return pa.nulls(len(column), kind)
    if kinds.is_dictionary(found):
        return conform(column.dictionary_decode(), kind)
    if kinds.is_struct(kind):
        return _struct(column, kind)
    if kinds.is_list(kind) and kinds.is_struct(kind.value_type):
        return _list(column, kind)
    return column.cast(kind)


def _struct(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if not kinds.is_struct(column.type):
        given = "path" if is_text(column.type) else "bytes"
        column = pa.StructArray.from_arrays([column], [given], mask=column.is_null())
    there = {child.name for child in column.type}
    children = [
        conform(column.field(child.name), child.type)
        if child.name in there
        else pa.nulls(len(column), child.type)
        for child in kind
    ]
    names = [child.name for child in kind]
    return pa.StructArray.from_arrays(children, names, mask=column.is_null())


def _list(column: pa.Array, kind: pa.DataType) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    values = conform(column.flatten(), kind.value_type)
    return pa.ListArray.from_arrays(offsets, values, mask=column.is_null())


def whole(value: object) -> object:
    """An integer that came as a float or a decimal; any other value as it is."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_FLOATS:
        return int(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value
