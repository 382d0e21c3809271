"""Limits on what a small Parquet file may grow to in memory, whatever its own figures say.

A value that is stored once and meant a thousand times is a thousand values once it is read: texts
and pictures are looked at while they are still stored once, and only as many rows are taken apart
together as there is room for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

from cluster.storage.location import MAX_FILE_BYTES

MAX_TEXT_BYTES = 256 * 1024
"""Largest text in a cell."""
MAX_VALUES = 1_000_000
"""Most values in a row, of one column of lists, on average of a row group."""
BYTES_TOGETHER = 512 * 1024 * 1024
DELTA_ROWS = 64
"""Rows that are read together where values are coded by what they share with the one before."""
PICTURES = ("image", "trimap", "placement")
BYTE_KINDS = (kinds.is_string, kinds.is_binary, kinds.is_large_string, kinds.is_large_binary)
VALUES_TOGETHER = 16_000_000


def columns_once(schema: pa.Schema, metadata: pq.FileMetaData) -> list[str]:
    """The paths of the columns that are read as dictionaries, so that each value is there once:
    plain ones of texts and bytes, and all that pictures are made of."""
    plain = {
        field.name for field in schema if kinds.is_string(field.type) or kinds.is_binary(field.type)
    }
    leaves = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    return [
        leaf.path
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY"
        and (leaf.path in plain or leaf.path.partition(".")[0] in PICTURES)
    ]


def refuse_long_values(batch: pa.RecordBatch) -> None:
    """Raise ``ValueError`` for a text or a picture of more bytes than a cell may have."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for leaf in _leaves(column):
            values = leaf.dictionary if kinds.is_dictionary(leaf.type) else leaf
            longest = pc.max(pc.binary_length(values)).as_py() or 0
            is_text = kinds.is_string(values.type) or kinds.is_large_string(values.type)
            kind, most = ("text", MAX_TEXT_BYTES) if is_text else ("picture", MAX_FILE_BYTES)
            if longest > most:
                rule = f"a {kind} of {longest} bytes, at most {most} are read"
                raise ValueError(f"column {name!r}: {rule}")


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """``batch`` in parts of as many rows as there is room for, each of one row at least."""
    if batch.num_rows > 1 and _bytes_of(batch) > BYTES_TOGETHER:
        middle = batch.num_rows // 2
        yield from pieces(batch.slice(0, middle))
        yield from pieces(batch.slice(middle))
    else:
        yield batch


def _bytes_of(batch: pa.RecordBatch) -> int:
    """Of the texts and pictures of ``batch``, each as often as it is meant."""
    total = 0
    for leaf in (leaf for column in batch.columns for leaf in _leaves(column)):
        if kinds.is_dictionary(leaf.type):
            lengths = pc.take(pc.binary_length(leaf.dictionary), leaf.indices)
        else:
            lengths = pc.binary_length(leaf)
        total += pc.sum(pc.cast(lengths, pa.int64())).as_py() or 0
    return total


def _leaves(column: pa.Array) -> Iterator[pa.Array]:
    """The texts and bytes that ``column`` is made of, perhaps as dictionaries."""
    kind = column.type
    if kinds.is_struct(kind):
        for number in range(kind.num_fields):
            yield from _leaves(column.field(number))
    elif kinds.is_list(kind) or kinds.is_large_list(kind):
        yield from _leaves(column.flatten())
    else:
        value = kind.value_type if kinds.is_dictionary(kind) else kind
        if any(check(value) for check in BYTE_KINDS) and len(column):
            yield column


def rows_together(metadata: pq.FileMetaData, most: int) -> int:
    """How many rows, up to ``most``, are read at a time. Raises ``ValueError`` for lists of more
    values than a row may have."""
    rows = most
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for index in range(group.num_columns):
            column = group.column(index)
            each = column.num_values / max(1, group.num_rows)
            if each > MAX_VALUES:
                rule = f"{each:.0f} values a row, at most {MAX_VALUES} are read"
                raise ValueError(f"column {column.path_in_schema!r}: {rule}")
            rows = min(rows, int(VALUES_TOGETHER / max(1.0, each)))
            if any(name.startswith("DELTA") and "BYTE" in name for name in column.encodings):
                rows = min(rows, DELTA_ROWS)
            if column.physical_type == "BYTE_ARRAY" and "." in column.path_in_schema:
                rows = min(rows, BYTES_TOGETHER // max(1, column.total_uncompressed_size))
    return max(1, rows)
