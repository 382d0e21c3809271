"""The Parquet files of a manifest that is a folder; what else is there is counted or refused."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from adabldm.core import picture_uri
from adabldm.core.faults import InputFault
from cluster.storage.doubt import undenied
from cluster.storage.location import Location

SUFFIXES = (".parquet", ".parq", ".pq")
TEXTS = (
    *(".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".toml", ".xml"),
    *(".txt", ".md", ".rst", ".log", ".html", ".pdf", ".py", ".sh", ".sql", ".ipynb"),
)
"""Files that are no Parquet, whatever the rest of their names."""
TABLES = {
    "_delta_log": "a Delta Lake table",
    "_spark_metadata": "a Spark stream",
    ".hoodie": "Hudi",
}
"""Folders of tables whose files alone do not say which rows are there."""
LIKE_PARQUET = re.compile(r"\.(parquet|parq|pq)\b", re.IGNORECASE)
MAGICS = (b"PAR1", b"PARE")
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
REAL_DEFECTS = "_real_defects.parquet"
"""How the names of files beside a plan's manifest end that hold the real defects it came from."""
SHOWN_NAMES = 3
RULE = f"a part's name ends in {', '.join(SUFFIXES)}"


@dataclass(frozen=True)
class Part:
    """A file of a manifest, and the columns that its folders (``name=value``) give its rows."""

    file: Location
    partition: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """The files that are read, in order of their paths; a line that counts the others (None: there
    are no others); and those of the others that hold the real defects that plans were made from."""

    read: Sequence[Part]
    left_out: str | None = None
    real_defects: Sequence[Location] = ()


def real_defects_beside(manifest: Location) -> Location:
    """The file of real defects beside ``manifest``; its name keeps it out of a manifest that is a
    folder."""
    return manifest.parent.join(f"_{manifest.name.removesuffix('.parquet')}{REAL_DEFECTS}")


def parts_of(folder: Location) -> Parts:
    """The parts below ``folder``, at any depth.

    Raises :class:`InputFault` for a folder without any, for a file that seems to be one and is not
    read, and for the folder of a table format.
    """
    names = undenied(folder, lambda: sorted(folder.files()))
    outputs = {name[: -len("run.json")] for name in names if f"/{name}".endswith("/run.json")}
    read: list[Part] = []
    read_names: list[str] = []
    others: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if any(name.startswith(f"{output}index/") for output in outputs):
            others["of an output's index"].append(name)
            continue
        _refuse_table(folder, name)
        reason = _reason(folder, name)
        if reason is None:
            read.append(Part(folder.join(name), _partition(folder, name)))
            read_names.append(name)
        else:
            others[reason].append(name)
    left_out = _counted(_not_of_plans(others, read_names))
    if not read:
        more = f" (there are {left_out})" if left_out else ""
        raise _refusal(folder, f"no Parquet file in the folder{more}; {RULE}")
    if left_out:
        left_out = f"manifest: {folder.shown!r}: {len(read)} files read; left out: {left_out}"
    beside = [folder.join(name) for name in names if name.endswith(REAL_DEFECTS)]
    return Parts(read, left_out, beside)


def _not_of_plans(others: Mapping[str, Sequence[str]], read: Sequence[str]) -> dict[str, list[str]]:
    """``others`` but for what plans keep beside their manifests, which are among ``read``."""
    own = set()
    for manifest in read:
        folder, slash, name = manifest.rpartition("/")
        stem = name.removesuffix(SUFFIXES[0])
        own |= {f"{folder}{slash}{stem}_files", f"{folder}{slash}_{stem}{REAL_DEFECTS}"}
    found = {
        reason: [name for name in names if not {name, name.rpartition("/")[0]} & own]
        for reason, names in others.items()
    }
    return {reason: names for reason, names in found.items() if names}


def _reason(folder: Location, name: str) -> str | None:
    """Why the file ``name`` is left out, None for one that is read. Raises :class:`InputFault`."""
    if any(_is_hidden(part) for part in name.split("/")):
        return "hidden"
    file = folder.join(name)
    last = file.name.lower()
    stem, dot, suffix = last.rpartition(".")
    if dot + suffix in picture_uri.SUFFIXES:
        return "pictures"
    seems_read = last.endswith(SUFFIXES) or "=" in last
    if file.is_local and os.path.isdir(file.path):
        if seems_read or LIKE_PARQUET.search(last):
            raise _refusal(file, "is a link to a folder: its files are not looked for")
        return "linked folders"
    if file.is_local and os.path.exists(file.path) and not os.path.isfile(file.path):
        raise _refusal(file, "is no plain file")
    if last.endswith(SUFFIXES):
        return None
    kind = dot + suffix if stem else ""
    if kind not in TEXTS and (LIKE_PARQUET.search(last) or _is_parquet(file)):
        raise _refusal(file, f"seems to be Parquet and would not be read: {RULE}")
    return f"{kind} files" if kind else "files without a suffix"


def _is_hidden(part: str) -> bool:
    """As Spark and its kin have it: a column's folder may begin with an underscore."""
    return part[0] == "." or (part[0] == "_" and "=" not in part)


def _refuse_table(folder: Location, name: str) -> None:
    parts = name.split("/")
    for depth, part in enumerate(parts[:-1]):
        if part in TABLES:
            table = folder.join("/".join(parts[:depth])) if depth else folder
            rule = f"is {TABLES[part]}: write its rows as plain Parquet files"
            raise _refusal(table, rule)


def _is_parquet(file: Location) -> bool:
    try:
        with file.fs.open(file.path, "rb") as opened:
            return opened.read(4) in MAGICS
    except OSError as error:
        raise _refusal(file, f"cannot be read ({type(error).__name__})") from error


def _partition(folder: Location, name: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for column, value in _columns(name):
        if column in found:
            rule = f"column {column!r} is in its path more than once"
            raise _refusal(folder.join(name), rule)
        found[column] = None if value == NO_VALUE else value
    return found


def _columns(name: str) -> Iterator[tuple[str, str]]:
    for part in name.split("/")[:-1]:
        column, equals, value = part.partition("=")
        if column and equals:
            yield unquote(column), unquote(value)


def _counted(others: Mapping[str, Sequence[str]]) -> str:
    """``2 hidden (_SUCCESS, _metadata), 3 pictures``."""
    told = []
    for reason, names in sorted(others.items()):
        shown = ""
        if reason != "pictures":
            more = ", ..." if len(names) > SHOWN_NAMES else ""
            shown = f" ({', '.join(names[:SHOWN_NAMES])}{more})"
        told.append(f"{len(names)} {reason}{shown}")
    return ", ".join(told)


def _refusal(place: Location, rule: str) -> InputFault:
    return InputFault.of("manifest", place.shown, rule)
