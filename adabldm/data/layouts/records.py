"""What every layout is read into: pictures with their part, type, mask and group; and faults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from adabldm.core.data_uri import is_data
from adabldm.core.faults import printable
from adabldm.core.mask_rule import AUTO, MaskRule
from adabldm.core.objects import Surface
from adabldm.core.picture_uri import split_fragment

Part = Literal["train", "test", "either"]

Key = tuple[str, str | None]
"""Path and type: a picture with several defect types is listed once for each."""


@dataclass(frozen=True)
class DatasetFinding:
    """One thing that is wrong: ``kind`` for sorting, ``path`` below the data set, the ``rule``.

    ``files`` are further files that are not used for the same reason.
    """

    kind: str
    path: str
    rule: str
    files: tuple[str, ...] = ()

    def with_files(self, *files: str) -> DatasetFinding:
        """This, and that ``files`` are not used for it either."""
        return replace(self, files=(*self.files, *files))

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.rule}")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as a data set lists it; paths are below its root and may end with a fragment.

    ``defect`` and ``mask`` are None for a good picture; a mask that is no file is a ``data:`` URI.
    ``part`` is what the data set itself keeps it for: ``train``, ``test`` (never learned from), or
    ``either`` (the split decides). ``foreground`` is its object mask, where the data set has one;
    ``sources`` are further files that it is read from.
    """

    object: str
    path: str
    part: Part
    defect: str | None = None
    mask: str | None = None
    group: str | None = None
    caption: str | None = None
    mask_rule: MaskRule = AUTO
    foreground: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.path, self.defect

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it is read from: picture, mask, object mask and what else there is."""
        named = (self.path, self.mask, self.foreground, *self.sources)
        files = [split_fragment(path)[0] for path in named if path and not is_data(path)]
        return tuple(dict.fromkeys(files))


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The pictures of a data set and what its folders say is wrong, before any is decoded."""

    layout: str
    pictures: tuple[Picture, ...]
    faults: tuple[DatasetFinding, ...] = ()
    surfaces: tuple[tuple[str, Surface], ...] = ()
    """(object, surface), where the data set declares it."""
    remarks: tuple[str, ...] = ()
    """What was decided about pictures that are neither used nor faulty."""
    tables: frozenset[str] = frozenset()
    """Files that were read beside pictures: settings, tables, annotations."""
    unread: tuple[tuple[str, str], ...] = ()
    """(folder, why what is below it is not read); the folder ``""`` is everywhere else."""
