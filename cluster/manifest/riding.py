"""The types in which a manifest's further columns ride along to the index."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as kinds

MAX_PRECISION = 38
"""Digits of the index's widest decimal."""
DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
"""Decimal digits of an integer by its bits."""
_NEAREST = {
    pa.uint8(): pa.int64(),
    pa.uint16(): pa.int64(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(),
    pa.date64(): pa.date32(),
}
_SAME = (
    kinds.is_boolean,
    kinds.is_float32,
    kinds.is_float64,
    kinds.is_date32,
    kinds.is_null,
    kinds.is_signed_integer,
)


def ride_type(kind: pa.DataType) -> pa.DataType:
    """The nearest type that the index can have; null stays null, which is any type.

    Raises ``ValueError`` with the rule for a type that cannot ride along.
    """
    if any(test(kind) for test in _SAME):
        return kind
    if _is_list(kind):
        return list_of(ride_type(kind.value_type))
    if kinds.is_dictionary(kind):
        return ride_type(kind.value_type)
    if is_text(kind):
        return pa.string()
    if is_bytes(kind):
        return pa.binary()
    if kind in _NEAREST:
        return _NEAREST[kind]
    if kinds.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if kinds.is_decimal(kind) and 0 <= kind.scale <= kind.precision <= MAX_PRECISION:
        return pa.decimal128(kind.precision, kind.scale)
    raise ValueError(f"is {kind}: only plain values and lists of them can ride along")


def united(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds the values of both, which are as :func:`ride_type` gives them; None for
    types that are no numbers and differ."""
    if one == other or kinds.is_null(other):
        return one
    if kinds.is_null(one):
        return other
    if kinds.is_list(one) and kinds.is_list(other):
        inner = united(one.value_type, other.value_type)
        return inner and list_of(inner)
    if not (_is_number(one) and _is_number(other)):
        return None
    if kinds.is_floating(one) or kinds.is_floating(other):
        both_narrow = kinds.is_float32(one) and kinds.is_float32(other)
        return pa.float32() if both_narrow else pa.float64()
    if kinds.is_integer(one) and kinds.is_integer(other):
        return max(one, other, key=lambda kind: kind.bit_width)
    return _wider_decimal(_as_decimal(one), _as_decimal(other))


def widens(kind: pa.DataType, held: pa.DataType) -> bool:
    """Whether every value of ``kind`` can be put into a column of ``held`` as it is."""
    if kinds.is_null(kind) or kind == held:
        return True
    if kinds.is_list(kind) and kinds.is_list(held):
        return widens(kind.value_type, held.value_type)
    both = (kinds.is_integer, kinds.is_floating)
    same_family = any(test(kind) and test(held) for test in both)
    return same_family and kind.bit_width <= held.bit_width


def filled(kind: pa.DataType) -> pa.DataType:
    """``kind`` with strings where nothing is known."""
    if kinds.is_list(kind):
        return list_of(filled(kind.value_type))
    return pa.string() if kinds.is_null(kind) else kind


def list_of(kind: pa.DataType) -> pa.DataType:
    """A list as Delta Lake has it."""
    return pa.list_(pa.field("element", kind))


def is_text(kind: pa.DataType) -> bool:
    return kinds.is_string(kind) or kinds.is_large_string(kind) or _is_view(kind, "string_view")


def is_bytes(kind: pa.DataType) -> bool:
    plain = (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary)
    return any(test(kind) for test in plain) or _is_view(kind, "binary_view")


def _is_view(kind: pa.DataType, name: str) -> bool:
    return str(kind) == name


def _is_list(kind: pa.DataType) -> bool:
    return kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)


def _is_number(kind: pa.DataType) -> bool:
    return kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind)


def _as_decimal(kind: pa.DataType) -> pa.DataType:
    return pa.decimal128(DIGITS[kind.bit_width], 0) if kinds.is_integer(kind) else kind


def _wider_decimal(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    scale = max(one.scale, other.scale)
    whole = max(one.precision - one.scale, other.precision - other.scale)
    fits = whole + scale <= MAX_PRECISION
    return pa.decimal128(whole + scale, scale) if fits else None
