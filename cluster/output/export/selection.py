"""What is exported: an output's accepted pairs and good pictures, in an order of their own.

The order is a function of the rows alone, so an export that was interrupted finds its way again.
"""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from adabldm.core.faults import InputFault
from adabldm.core.picture_uri import split_fragment
from cluster.output.index import Ledger
from cluster.output.schema import OK
from cluster.storage.location import Location

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SPELLED: Mapping[str, Split] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""What a manifest's column ``split`` may say."""
SPLIT_COLUMN = "split"

SOURCE = "source"
"""The good picture of a pair, as ``--keep source`` keeps it."""

COLUMNS = (
    *("request_id", "status", "object", "defect", "image", "mask", "image_sha256", "mask_sha256"),
    *("extras", "prompt", "seed", "quality"),
)


@dataclass(frozen=True, kw_only=True)
class GoodPicture:
    """A good picture (URI) of a data set, and what it is for there."""

    object: str
    uri: str
    split: Split


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A picture that is exported as ``name``, unique in its split; ``key`` is its name among its
    object's and type's. ``defect`` and ``mask`` are None for a good picture; ``image`` and ``mask``
    are URIs. ``image_sha256`` is None where nobody has told it. ``facts`` go along, as JSON.
    """

    split: Split
    good: bool
    name: str
    key: str
    object: str
    defect: str | None
    image: str
    mask: str | None
    image_sha256: str | None
    mask_sha256: str | None
    facts: str

    @property
    def identity(self) -> str:
        """What the exported files are a function of."""
        known = (self.name, self.object, self.defect, self.image_sha256 or self.image)
        return json.dumps([*known, self.mask_sha256, self.facts])


NAMES = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True)
class Unit:
    """The ``number``-th ``entries`` of a split, which are written together."""

    split: Split
    number: int
    entries: Sequence[Entry]

    @property
    def digest(self) -> str:
        """Of what it holds."""
        text = "\n".join(entry.identity for entry in self.entries)
        return hashlib.sha256(text.encode()).hexdigest()


class Selection:
    """The entries of an output, on disk; use as a context. ``left_out`` counts rows that are not
    accepted, by status."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self._folder = tempfile.TemporaryDirectory(prefix="adabldm-")
        self._db = sqlite3.connect(Path(self._folder.name) / "entries.db", isolation_level=None)
        self._db.executescript(
            "pragma journal_mode = off; pragma synchronous = off;"
            f"create table entries ({', '.join(NAMES)}, primary key (split, name)) without rowid;"
            "begin;"
        )

    def __enter__(self) -> Selection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
        self._folder.cleanup()

    def add_pairs(self, output: Location, *, with_sources: bool) -> None:
        """Take the accepted rows of ``output``, and the good pictures that it has kept of them if
        these are asked for. Raises :class:`InputFault` for a split that is none."""
        ledger = Ledger(output)
        known = set(ledger.columns().names)
        splits = [SPLIT_COLUMN] if SPLIT_COLUMN in known else []
        for batch in ledger.read([*COLUMNS, *splits]):
            for row in batch.to_pylist():
                if row["status"] != OK:
                    self.left_out[row["status"]] += 1
                    continue
                self._add(_pair(output, row))
                if with_sources:
                    for extra in row["extras"] or []:
                        if extra["name"] == SOURCE:
                            self._add_kept(output, row["object"], extra)

    def _add_kept(self, output: Location, item: str, extra: Mapping[str, str]) -> None:
        key = extra["sha256"][:16]
        self._add(
            _good(item, key, output.join(extra["path"]).uri, split="train", sha256=extra["sha256"])
        )  # the same picture of another pair changes nothing

    def add_good(self, pictures: Iterable[GoodPicture]) -> None:
        """Take good pictures of a data set."""
        for one in sorted(pictures, key=lambda one: (one.object, one.uri)):
            file, box = split_fragment(one.uri)
            stem = posixpath.splitext(posixpath.basename(file))[0]
            digest = hashlib.sha256(one.uri.encode()).hexdigest()[:8]
            for key in ([] if box else [stem]) + [f"{stem}_{digest}"]:
                if self._add(_good(one.object, key, one.uri, split=one.split)):
                    break

    def _add(self, entry: Entry) -> bool:
        """Whether its name was free."""
        marks = ", ".join("?" * len(NAMES))
        values = [getattr(entry, name) for name in NAMES]
        done = self._db.execute(f"insert or ignore into entries values ({marks})", values)  # noqa: S608
        return bool(done.rowcount)

    def count(self, *, good: bool) -> int:
        return int(self._ask("select count(*) from entries where good = ?", good)[0][0])

    @property
    def types(self) -> list[tuple[str, str]]:
        """(object, defect), sorted."""
        return self._ask(
            "select distinct object, defect from entries where not good order by object, defect"
        )

    @property
    def splits(self) -> list[Split]:
        """Those that hold something."""
        found = {split for (split,) in self._ask("select distinct split from entries")}
        return [split for split in SPLITS if split in found]

    def objects(self, *, good: bool, split: Split | None = None) -> set[str]:
        """Names of the objects of pairs, or of good pictures (in a split)."""
        asked = "select distinct object from entries where good = ? and (? is null or split = ?)"
        return {name for (name,) in self._ask(asked, good, split, split)}

    def units(self, size: int) -> Iterator[Unit]:
        """All entries, ``size`` together: split by split, pairs before good pictures."""
        for split in self.splits:
            rows = self._db.execute(
                f"select {', '.join(NAMES)} from entries where split = ? order by good, name",  # noqa: S608
                (split,),
            )
            entries = (Entry(**dict(zip(NAMES, row, strict=True))) for row in rows)
            for number, some in enumerate(_batches(entries, size)):
                yield Unit(split, number, some)

    def _ask(self, text: str, *values: object) -> list[Any]:
        return self._db.execute(text, values).fetchall()


def _batches(entries: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    while some := list(islice(entries, size)):
        yield some


def _pair(output: Location, row: Mapping[str, Any]) -> Entry:
    name = row["request_id"]
    told = dict(row["quality"] or [])
    quality = {figure: value for figure, value in told.items() if value is not None}
    facts = {
        "request_id": name,
        "prompt": row["prompt"],
        "seed": row["seed"],
        # JSON has no infinities
        "quality": {figure: v if math.isfinite(v) else None for figure, v in quality.items()},
    }
    return Entry(
        split=_split_of(row),
        good=False,
        name=name,
        key=name,
        object=row["object"],
        defect=row["defect"],
        image=output.join(row["image"]).uri,
        mask=output.join(row["mask"]).uri,
        image_sha256=row["image_sha256"],
        mask_sha256=row["mask_sha256"],
        facts=json.dumps(facts, sort_keys=True),
    )


def _split_of(row: Mapping[str, Any]) -> Split:
    said = row.get(SPLIT_COLUMN)
    if said is None:
        return "train"
    split = SPELLED.get(str(said).lower())
    if split is None:
        rule = f"column 'split' of request_id {row['request_id']!r} must be train, val or test"
        raise InputFault.of("OUTPUT", said, rule)
    return split


def _good(item: str, key: str, uri: str, *, split: Split, sha256: str | None = None) -> Entry:
    return Entry(
        split=split,
        good=True,
        name=f"{item}_good_{key}",
        key=key,
        object=item,
        defect=None,
        image=uri,
        mask=None,
        image_sha256=sha256,
        mask_sha256=None,
        facts="{}",
    )
