"""Limits on what a small Parquet file may grow to in memory.

A value that is stored once and meant a thousand times is a thousand values once it is read: texts
are looked at while they are still stored once, and of columns of bytes and of lists only as many
rows are read together as the file's own figures allow.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

MAX_TEXT_BYTES = 256 * 1024
"""Largest text in a cell."""
MAX_VALUES = 1_000_000
"""Most values in a row, of one column of lists, on average of a row group."""
BYTES_TOGETHER = 512 * 1024 * 1024
VALUES_TOGETHER = 16_000_000


def text_columns(schema: pa.Schema) -> list[str]:
    """Columns that are read as dictionaries, so that each text is there once."""
    return [field.name for field in schema if kinds.is_string(field.type)]


def refuse_long_texts(batch: pa.RecordBatch) -> None:
    """Raise ``ValueError`` for a text of more bytes than a cell may have."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        texts = column.dictionary if kinds.is_dictionary(column.type) else column
        if not kinds.is_string(texts.type) or not len(texts):
            continue
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        if longest > MAX_TEXT_BYTES:
            rule = f"a text of {longest} bytes, at most {MAX_TEXT_BYTES} are read"
            raise ValueError(f"column {name!r}: {rule}")


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
            if column.physical_type == "BYTE_ARRAY" and "." in column.path_in_schema:
                rows = min(rows, BYTES_TOGETHER // max(1, column.total_uncompressed_size))
    return max(1, rows)
