"""The columns of all parts of a manifest, made one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from adabldm.core.faults import InputFault
from adabldm.core.names import folded
from cluster.manifest.conform import conform, misfit
from cluster.manifest.parts import Part
from cluster.manifest.riding import filled, ride_type, united
from cluster.manifest.schema import SCHEMA
from cluster.storage.location import Location

REQUIRED = ("request_id", "object", "defect", "image", "prompt", "seed")
PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_SPELLED = {folded(name): name for name in SCHEMA.names}


class Columns:
    """What the parts' columns become; each part is added once, in order.

    ``kinds`` are the types of the further columns, in which they ride along to the index.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, pa.DataType] = {}
        self.indexes: set[str] = set()
        """pandas' own row labels, which are left out."""
        self._from: dict[str, Location] = {}
        self._empty: set[str] = set()
        self._first: tuple[Location, frozenset[str]] | None = None
        self._partitions: dict[str, Location] = {}

    def add(self, part: Part, schema: pa.Schema, metadata: pq.FileMetaData) -> None:
        """Raises :class:`InputFault` naming file and column."""
        file = part.file
        _check_names(file, [*schema.names, *(set(part.partition) - set(schema.names))])
        for name in part.partition:
            self._add_partition(file, name)
        riding = []
        for field in schema:
            if field.name in SCHEMA.names:
                rule = misfit(field.type, SCHEMA.field(field.name).type, field.name)
                if rule and not _holds_nothing(metadata, field.name):
                    raise _refusal(file, rule)
            elif PANDAS_INDEX.fullmatch(field.name):
                self.indexes.add(field.name)
            else:
                self._unite(file, field, metadata)
                riding.append(field.name)
        self._same_names(file, frozenset(riding))

    def _add_partition(self, file: Location, name: str) -> None:
        if name in SCHEMA.names and kinds.is_nested(SCHEMA.field(name).type):
            raise _refusal(file, f"column {name!r} cannot be a folder's name")
        self._partitions.setdefault(name, file)

    def _unite(self, file: Location, field: pa.Field, metadata: pq.FileMetaData) -> None:
        name = field.name
        try:
            kind = ride_type(field.type)
        except ValueError as error:
            raise _refusal(file, f"column {name!r} {error}") from error
        before = self.kinds.get(name, pa.null())
        both = united(before, kind)
        settled = name in self.kinds and name not in self._empty
        if both is None and settled and not _holds_nothing(metadata, name):
            shown = self._from[name].shown
            raise _refusal(file, f"column {name!r} is {field.type}, it is {before} in {shown}")
        if both is None:
            both = before if settled else kind
        if not settled:
            self._from[name] = file
            # A column without a value has whatever type its writer chose.
            (self._empty.add if _holds_nothing(metadata, name) else self._empty.discard)(name)
        self.kinds[name] = both

    def _same_names(self, file: Location, riding: frozenset[str]) -> None:
        if self._first is None:
            self._first = file, riding
        first, names = self._first
        for name in sorted((names ^ riding) - self._partitions.keys()):
            there, lacking = (first, file) if name in names else (file, first)
            raise _refusal(lacking, f"column {name!r} is missing, {there.shown} has it")

    def riding(self) -> pa.Schema:
        """The further columns, once all parts are added; those of the folders' names are texts
        unless a part has them too.

        Raises :class:`InputFault` for two that differ by case only.
        """
        for name in sorted(self._partitions.keys() - set(SCHEMA.names)):
            self.kinds[name] = filled(self.kinds.get(name, pa.null()))
        spelled: dict[str, str] = {}
        for name in self.kinds:
            earlier = spelled.setdefault(folded(name), name)
            if earlier != name:
                file = self._from.get(name) or self._partitions[name]
                raise _refusal(file, f"column {name!r} is column {earlier!r} in another spelling")
        return pa.schema(list(self.kinds.items()))

    def constants(self, part: Part) -> Mapping[str, object]:
        """The values that the part's folders give its rows, and None for what only other parts'
        folders give. Raises :class:`InputFault` for a value that its column cannot hold."""
        found: dict[str, object] = dict.fromkeys(self._partitions)
        for name, text in part.partition.items():
            kind = SCHEMA.field(name).type if name in SCHEMA.names else self.kinds[name]
            try:
                found[name] = conform(pa.array([text], pa.string()), kind)[0].as_py()
            except pa.ArrowException as error:
                rule = f"column {name!r}: {text!r} in its path is no {kind}"
                raise _refusal(part.file, rule) from error
        return found


def _check_names(file: Location, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _refusal(file, f"column {name!r} is there more than once")
        known = _SPELLED.get(folded(name), name)
        if known != name:
            raise _refusal(file, f"column {name!r} is to be spelled {known!r}")
        if not name or any(unicodedata.category(letter) == "Cc" for letter in name):
            raise _refusal(file, f"column {name!r} must have a name without control characters")
    for name in REQUIRED:
        if name not in names:
            raise _refusal(file, f"column {name!r} is missing")


def _holds_nothing(metadata: pq.FileMetaData, name: str) -> bool:
    """Whether the file's own figures say that a plain column is null in every row."""
    places = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path == name]
    if not places:
        return False
    for group in range(metadata.num_row_groups):
        column = metadata.row_group(group).column(places[0])
        if column.physical_type != metadata.schema.column(places[0]).physical_type:
            return False  # a broken file, whose figures would end the process
        figures = column.statistics
        if figures is None or not figures.has_null_count:
            return False
        if figures.null_count < metadata.row_group(group).num_rows:
            return False
    return True


def _refusal(file: Location, rule: str) -> InputFault:
    return InputFault.of("manifest", file.shown, rule)
