"""A manifest as a stream of rows: a Parquet file, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from adabldm.core.faults import InputFault
from cluster.manifest.parquet_guard import open_parquet
from cluster.manifest.schema import SCHEMA
from cluster.storage.location import Location, insistently, location

Row = dict[str, Any]
REQUIRED = ("request_id", "object", "defect", "image", "prompt", "seed")
CHUNK_ROWS = 512
KEPT_PATHS = 200_000


class Manifest:
    """The rows at ``uri``, and the roots that its pictures may come from.

    Construction looks at every file's columns. Raises :class:`InputFault`.
    """

    def __init__(self, uri: str, allowed_roots: Sequence[str] = ()) -> None:
        self.place = location("manifest", uri)
        is_folder = self._exists_as_folder()
        self.folder = self.place if is_folder else self.place.parent
        roots = [location("allow-root", root) for root in allowed_roots]
        self.roots = [self.folder, *roots]
        self.files = self._list() if is_folder else [self.place]
        self._resolved = lru_cache(KEPT_PATHS)(self._resolve)
        self.rows = 0
        first: pa.Schema | None = None
        for file in self.files:
            with open_parquet(file) as parquet:
                schema = parquet.schema_arrow
                self.rows += parquet.metadata.num_rows
            _check_columns(file, schema)
            if first is not None and set(_riding(schema)) != set(_riding(first)):
                raise _refusal(file, f"its further columns differ from those of {self.files[0]}")
            first = first or schema
        assert first is not None  # noqa: S101
        self.riding = pa.schema(_riding(first))
        """Columns that ride along to the index."""

    def _exists_as_folder(self) -> bool:
        try:
            if self.place.is_folder():
                return True
            if self.place.exists():
                return False
        except OSError as error:
            raise _refusal(self.place, f"cannot be read ({error})") from error
        raise _refusal(self.place, "there is no such file or folder")

    def _list(self) -> list[Location]:
        fs = self.place.fs
        listed = insistently(lambda: fs.ls(self.place.path, detail=False))
        names = sorted(path.rstrip("/").rpartition("/")[2] for path in listed)
        files = [self.place.join(n) for n in names if n.endswith(".parquet") and n[0] not in "._"]
        if not files:
            raise _refusal(self.place, "no .parquet file in the folder")
        return files

    def chunks(self) -> Iterator[tuple[int, list[Row]]]:
        """(number of the first row, rows), in order, a few hundred rows at a time.

        Rows count from 0 through all files. Raises :class:`InputFault` for broken data.
        """
        start = 0
        for file in self.files:
            with open_parquet(file) as parquet:
                end = start + parquet.metadata.num_rows
                try:
                    for batch in parquet.iter_batches(CHUNK_ROWS, use_threads=False):
                        batch.validate(full=True)
                        rows = batch.to_pylist()
                        yield start, rows
                        start += len(rows)
                except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
                    reason = " ".join(str(error).split()) or type(error).__name__
                    raise InputFault(
                        f"row {start} or one of the next {CHUNK_ROWS}: manifest: "
                        f"{file.shown!r}: its data is broken ({reason})"
                    ) from error
            if start != end:
                rule = f"its data is broken (it says {end} rows up to here, there are {start})"
                raise _refusal(file, rule)

    def resolve(self, path: str) -> Location:
        """The file that a row names. Raises ``ValueError`` if it is outside the allowed roots."""
        return self._resolved(path)

    def _resolve(self, path: str) -> Location:
        place = Location.of(path, self.folder)
        if not any(place.inside(root) for root in self.roots):
            shown = ", ".join(root.shown for root in self.roots)
            raise ValueError(f"is outside the allowed roots ({shown})")
        return place


def _riding(schema: pa.Schema) -> list[pa.Field]:
    return [field.remove_metadata() for field in schema if field.name not in SCHEMA.names]


def _check_columns(file: Location, schema: pa.Schema) -> None:
    for name in schema.names:
        if schema.names.count(name) > 1:
            raise _refusal(file, f"column {name!r} is there more than once")
    for name in REQUIRED:
        if name not in schema.names:
            raise _refusal(file, f"column {name!r} is missing")
    for expected in SCHEMA:
        if expected.name in schema.names:
            _check_type(file, expected.name, schema.field(expected.name).type, expected.type)


def _check_type(file: Location, name: str, found: pa.DataType, expected: pa.DataType) -> None:
    if kinds.is_null(found):
        return
    if kinds.is_struct(expected) and kinds.is_struct(found):
        known = {child.name: child.type for child in expected}
        for child in found:
            if child.name not in known:
                raise _refusal(file, f"{name!r} has a field {child.name!r} that is not known")
            _check_type(file, f"{name}.{child.name}", child.type, known[child.name])
    elif kinds.is_list(expected) and (kinds.is_list(found) or kinds.is_large_list(found)):
        _check_type(file, f"{name}[]", found.value_type, expected.value_type)
    elif not _fits(found, expected):
        raise _refusal(file, f"{name!r} is {found}, it must be {expected}")


def _fits(found: pa.DataType, expected: pa.DataType) -> bool:
    if kinds.is_dictionary(found):
        found = found.value_type
    if kinds.is_string(expected):
        return kinds.is_string(found) or kinds.is_large_string(found) or found == pa.string_view()
    if kinds.is_binary(expected):
        return kinds.is_binary(found) or kinds.is_large_binary(found) or found == pa.binary_view()
    if kinds.is_integer(expected):
        return kinds.is_integer(found)
    return kinds.is_floating(expected) and (kinds.is_floating(found) or kinds.is_integer(found))


def _refusal(file: Location, rule: str) -> InputFault:
    return InputFault.of("manifest", file.shown, rule)
