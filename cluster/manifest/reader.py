"""A manifest as a stream of rows: a Parquet file, or a folder of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from adabldm.core.faults import InputFault, JobFault, one_line
from cluster.manifest.bounds import pieces, refuse_long_values, rows_together
from cluster.manifest.columns import Columns
from cluster.manifest.conform import conform, whole
from cluster.manifest.parquet_guard import open_parquet
from cluster.manifest.parts import Part, Parts, parts_of, real_defects_beside
from cluster.manifest.roots import Roots
from cluster.manifest.schema import SCHEMA
from cluster.storage.insistent_file import StoreAway
from cluster.storage.location import Location, location, passes

Row = dict[str, Any]
CHUNK_ROWS = 512
WHOLE = [field.name for field in SCHEMA if kinds.is_integer(field.type)]
KEPT_PATHS = 200_000


def _near(start: int, file: Location, rule: str) -> str:
    return f"row {start} or one of the next {CHUNK_ROWS}: manifest: {file.shown!r}: {rule}"


class ColumnFault(ValueError):
    """A column with a value that has no place in it."""


class Manifest:
    """The rows at ``uri``, and the roots that its pictures may come from.

    Construction looks at every file's columns. Raises :class:`InputFault`, and :class:`JobFault`
    for a store that stays away.
    """

    def __init__(self, uri: str, allowed_roots: Sequence[str] = ()) -> None:
        self.place = location("manifest", uri)
        is_folder = self._exists_as_folder()
        self.folder = self.place if is_folder else self.place.parent
        self.roots = Roots(self.folder, allowed_roots)
        self._resolved = lru_cache(KEPT_PATHS)(self.roots.resolve)
        found = parts_of(self.place) if is_folder else Parts([Part(self.place)])
        self.parts = found.read
        self.real_defects = found.real_defects or [real_defects_beside(self.place)]
        """Files that may be there, with the real defects that the rows were planned from."""
        self.rows = 0
        self._starts: list[int] = []
        self._columns = Columns()
        for part in self.parts:
            with open_parquet(part.file) as parquet:
                self._starts.append(self.rows)
                self.rows += parquet.metadata.num_rows
                self._columns.add(part, parquet.schema_arrow, parquet.metadata)
        self.riding = self._columns.riding()
        """Columns that ride along to the index."""
        self._constants = [self._columns.constants(part) for part in self.parts]
        self.remarks = [line for line in (found.left_out, self._indexes_left_out()) if line]
        """Lines on what of it is not used."""

    def _exists_as_folder(self) -> bool:
        try:
            if self.place.is_folder():
                return True
            if self.place.exists():
                return False
        except OSError as error:
            if passes(self.place, error):
                raise JobFault(f"{self.place.shown}: cannot be read ({error})") from error
            raise _refusal(self.place, f"cannot be read ({error})") from error
        raise _refusal(self.place, "there is no such file or folder")

    def _indexes_left_out(self) -> str | None:
        if not self._columns.indexes:
            return None
        names = ", ".join(sorted(self._columns.indexes))
        return f"manifest: {self.place.shown!r}: column {names} is left out: pandas' row labels"

    def chunks(
        self, wanted: Callable[[int, int], bool] = lambda *_: True
    ) -> Iterator[tuple[int, list[Row]]]:
        """(number of the first row, rows), in order, a few hundred rows at a time; those of which
        ``wanted`` says no, by the first number and the one after the last, are passed over.

        Rows count from 0 through all files; their values have the types of the manifest's schema,
        or those of :attr:`riding`. Raises :class:`InputFault` for broken data.
        """
        start = 0
        for part, constants in zip(self.parts, self._constants, strict=True):
            file = part.file
            with open_parquet(file, values_once=True) as parquet:
                end = start + parquet.metadata.num_rows
                try:
                    for batch, count in _batches(parquet, start, wanted):
                        if batch is not None:
                            yield start, self._rows(batch, constants, part.partition)
                        start += count
                except ColumnFault as error:
                    raise InputFault(_near(start, file, one_line(error))) from error
                except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
                    if isinstance(error, StoreAway):
                        told = f"{file.shown}: cannot be read ({one_line(error)})"
                        raise JobFault(told) from error
                    rule = f"its data is broken ({one_line(error)})"
                    raise InputFault(_near(start, file, rule)) from error
            if start != end:
                rule = f"its data is broken (it says {end} rows up to here, there are {start})"
                raise _refusal(file, rule)

    def _rows(
        self,
        batch: pa.RecordBatch,
        constants: Mapping[str, object],
        partition: Mapping[str, object],
    ) -> list[Row]:
        """Raises :class:`ColumnFault`."""
        values: dict[str, list[object]] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name in self._columns.indexes:
                continue
            values[name] = self._values(name, column)
            if name in partition and any(one != constants[name] for one in values[name]):
                raise ColumnFault(f"column {name!r}: is not {partition[name]!r}, as its path says")
        for name in constants.keys() - values.keys():
            values[name] = [constants[name]] * batch.num_rows
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]

    def _values(self, name: str, column: pa.Array) -> list[object]:
        expected = SCHEMA if name in SCHEMA.names else self.riding
        try:
            values = conform(column, expected.field(name).type).to_pylist()
        except (pa.ArrowException, ValueError, OverflowError) as error:
            kind = expected.field(name).type
            raise ColumnFault(f"column {name!r}: a value is no {kind} ({error})") from error
        if name in WHOLE and not kinds.is_integer(column.type):
            return [whole(value) for value in values]
        return values

    def part_of(self, row: int) -> str | None:
        """Where row ``row`` is in a manifest of several files, None in one of a single file."""
        if len(self.parts) == 1:
            return None
        number = bisect_right(self._starts, row) - 1
        name = self.parts[number].file.path[len(self.folder.path) :].strip("/")
        return f"row {row - self._starts[number]} of {name}"

    def resolve(self, path: str) -> Location:
        """The file that a row names, as :meth:`cluster.manifest.roots.Roots.resolve`."""
        return self._resolved(path)


def _batches(
    parquet: pq.ParquetFile, start: int, wanted: Callable[[int, int], bool]
) -> Iterator[tuple[pa.RecordBatch | None, int]]:
    """Rows from ``start``, and how many they are; None for those that are passed over.

    A row group at a time: values that are stored once are so in one of them.
    """
    metadata = parquet.metadata
    some = rows_together(metadata, CHUNK_ROWS)
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if not wanted(start, start + rows):
            yield None, rows
            start += rows
            continue
        for batch in parquet.iter_batches(some, row_groups=[group], use_threads=False):
            if not wanted(start, start + batch.num_rows):
                yield None, batch.num_rows
            else:
                batch.validate(full=True)
                refuse_long_values(batch)
                yield from ((piece, piece.num_rows) for piece in pieces(batch))
            start += batch.num_rows


def _refusal(file: Location, rule: str) -> InputFault:
    return InputFault.of("manifest", file.shown, rule)
