"""Which columns of an Arrow schema have extension types, read from its bytes (Arrow's
``Schema.fbs``, a FlatBuffer) so that no type's own code runs."""

from __future__ import annotations

import struct
from collections.abc import Iterator

CONTINUES = b"\xff\xff\xff\xff"
HEADER, FIELDS = 2, 1
"""Slots of a message and of its schema."""
NAME, CHILDREN, METADATA = 0, 5, 6
"""Slots of a field."""
MAX_DEPTH = 64


def extension_columns(message: bytes, key: bytes) -> list[tuple[str, str]]:
    """(column, extension type) of the fields in whose metadata ``key`` is; none for bytes that are
    not such a message."""
    start = 8 if message.startswith(CONTINUES) else 4
    buffer = _Buffer(message[start:])
    try:
        schema = buffer.table(buffer.offset(0), HEADER)
        fields = buffer.tables(schema, FIELDS) if schema is not None else iter(())
        return [found for field in fields for found in _extensions(buffer, field, key, "", 0)]
    except (struct.error, IndexError, RecursionError):
        return []


def _extensions(
    buffer: _Buffer, field: int, key: bytes, parent: str, depth: int
) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        return
    name = parent + buffer.text(field, NAME).decode(errors="replace")
    for pair in buffer.tables(field, METADATA):
        if buffer.text(pair, 0) == key:
            yield name, buffer.text(pair, 1).decode(errors="replace")
    for child in buffer.tables(field, CHILDREN):
        yield from _extensions(buffer, child, key, f"{name}.", depth + 1)


class _Buffer:
    """A FlatBuffer's tables by their positions. Raises ``struct.error`` and ``IndexError``."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def offset(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self._data, at)[0])

    def _slot(self, table: int, slot: int) -> int | None:
        vtable = table - struct.unpack_from("<i", self._data, table)[0]
        if vtable < 0 or 4 + 2 * slot >= struct.unpack_from("<H", self._data, vtable)[0]:
            return None
        inside = struct.unpack_from("<H", self._data, vtable + 4 + 2 * slot)[0]
        return table + inside if inside else None

    def table(self, table: int, slot: int) -> int | None:
        at = self._slot(table, slot)
        return None if at is None else self.offset(at)

    def tables(self, table: int, slot: int) -> Iterator[int]:
        vector = self.table(table, slot)
        if vector is not None:
            count = struct.unpack_from("<I", self._data, vector)[0]
            for number in range(count):
                yield self.offset(vector + 4 + 4 * number)

    def text(self, table: int, slot: int) -> bytes:
        at = self.table(table, slot)
        if at is None:
            return b""
        length = struct.unpack_from("<I", self._data, at)[0]
        return self._data[at + 4 : at + 4 + length]
