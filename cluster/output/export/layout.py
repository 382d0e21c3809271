"""What a layout of an export is: it writes units of pictures, and what ties them together."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from adabldm.core.faults import InputFault
from cluster.output.export.items import Item
from cluster.output.export.selection import Selection, Split, Unit
from cluster.storage.location import PARTIAL, Location

Facts = list[Any]
"""What a unit tells of its pictures, as JSON."""

AllFacts = Callable[[], Iterator[tuple[Split, Facts]]]
"""The facts of all units in their order; may be called again."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What an export as a whole holds: its ``classes``, in order, by object and type; its
    ``splits``; and how many pictures (pairs and good ones) it has."""

    classes: Mapping[tuple[str, str], str]
    splits: Sequence[Split]
    pairs: int
    good: int

    @classmethod
    def of(cls, selection: Selection) -> Contents:
        """Classes are called as their type, with the object before it if there are several.

        Raises :class:`InputFault` for two of one name.
        """
        types = selection.types
        several = len({item for item, _ in types}) > 1
        classes = {
            (item, defect): f"{item}_{defect}" if several else defect for item, defect in types
        }
        names = list(classes.values())
        for name in names:
            if names.count(name) > 1:
                raise InputFault.of("OUTPUT", name, "would be the class of two objects' defects")
        return cls(
            classes=classes,
            splits=selection.splits,
            pairs=selection.count(good=False),
            good=selection.count(good=True),
        )

    def digest(self, unit: Unit) -> str:
        """Of what a unit's files are a function of."""
        classes = json.dumps([*self.classes.values()])
        return hashlib.sha256(f"{classes} {unit.digest}".encode()).hexdigest()

    def number(self, item: Item) -> int:
        """Of the item's class, from 0. A good picture has none."""
        return list(self.classes).index((item.entry.object, item.entry.defect or ""))


class Folder:
    """Where an export is written; ``link`` leaves links to files that are there already."""

    def __init__(self, place: Location, *, link: bool = False) -> None:
        self.place, self._link = place, link

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole."""
        partial = self.place.join(PARTIAL) if self.place.is_local else None
        self.place.join(path).write(data, partial=partial)

    def put(self, path: str, data: bytes, uri: str | None) -> None:
        """Write ``data``, or a link to ``uri``, where they are if anywhere."""
        source = Location.of(uri) if uri and self._link else None
        if source is None:
            self.write(path, data)
            return
        target = Path(self.place.join(path).path)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.link-{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(source.path)
        fresh.replace(target)

    def tidy(self) -> None:
        """Take away what was only needed while files were written."""
        if self.place.is_local:
            with suppress(OSError):
                os.rmdir(self.place.join(PARTIAL).path)

    def put_image(self, path: str, item: Item) -> None:
        self.put(path, item.data, item.entry.image if item.verbatim else None)

    def put_mask(self, path: str, item: Item) -> None:
        self.put(path, item.mask_data, item.entry.mask)


class Layout(Protocol):
    """One way to arrange an export. What it writes is a function of what it is given, so a unit may
    be written again."""

    def __init__(self, folder: Folder, contents: Contents) -> None: ...

    def write(self, unit: Unit, items: Iterator[Item]) -> Facts:
        """Write the files of ``items``, those of ``unit`` in order."""
        ...

    def finish(self, facts: AllFacts) -> None:
        """Write what ties the units together."""
        ...
