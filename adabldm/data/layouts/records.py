"""What every layout is read into: pictures with their part, type, mask and group; and faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adabldm.core.faults import one_line
from adabldm.core.mask_rule import AUTO, MaskRule
from adabldm.core.objects import Surface

Part = Literal["train", "test", "either"]


@dataclass(frozen=True)
class DatasetFinding:
    """One thing that is wrong: ``kind`` for sorting, ``path`` below the data set, the ``rule``."""

    kind: str
    path: str
    rule: str

    def __str__(self) -> str:
        return one_line(f"{self.path}: {self.rule}")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as a data set lists it; paths are below its root and may end with a fragment.

    ``defect`` and ``mask`` are None for a good picture. ``part`` is what the data set itself
    keeps it for: ``train``, ``test`` (never learned from), or ``either`` (the split decides).
    """

    object: str
    path: str
    part: Part
    defect: str | None = None
    mask: str | None = None
    group: str | None = None
    caption: str | None = None
    mask_rule: MaskRule = AUTO


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
