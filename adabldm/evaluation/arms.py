"""The arms of a comparison: what each lets a detector learn from.

All arms have the same good pictures, and differ in the defects. Real and made ones are two halves
of what is drawn (:mod:`training_windows`), however many there are of either.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeVar

from adabldm.core.objects import DefectImage
from adabldm.evaluation.pictures import Baseline, Pair, Spoiled, Stored, TrainingPicture


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Whether an arm has the few real defects (``few``), ``all_real`` ones of the training side,
    the generated pairs (``pairs``), and which ``baseline`` at the same places."""

    few: bool = True
    all_real: bool = False
    pairs: bool = False
    baseline: Baseline | None = None

    @property
    def needs_pairs(self) -> bool:
        return self.pairs or self.baseline is not None


FEW = "few"
ARMS: Mapping[str, Arm] = {
    FEW: Arm(),
    "cutpaste": Arm(baseline="cutpaste"),
    "perlin": Arm(baseline="perlin"),
    "poisson": Arm(baseline="poisson"),
    "ours": Arm(pairs=True),
    "ours+cutpaste": Arm(pairs=True, baseline="cutpaste"),
    "ours-only": Arm(few=False, pairs=True),
    "all-real": Arm(all_real=True),
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """An ``arm`` with the first ``pairs`` pairs of each object and ``shots`` real defects of each
    type; None for all of them."""

    arm: str
    pairs: int | None = None
    shots: int | None = None

    @property
    def name(self) -> str:
        """As a part of a file's name."""
        pairs = "" if self.pairs is None else f"-{self.pairs}pairs"
        shots = "" if self.shots is None else f"-{self.shots}shots"
        return f"{self.arm}{pairs}{shots}"


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What there is of one object to learn from: ``good`` pictures, the ``few`` real defects,
    ``further`` real ones of the training side, and generated ``pairs``."""

    object: str
    good: tuple[Stored, ...]
    few: tuple[Stored, ...]
    further: tuple[Stored, ...] = ()
    pairs: tuple[Pair, ...] = ()
    textures: tuple[str, ...] = field(default=(), repr=False)

    @property
    def most_shots(self) -> int:
        """Of the few, in the type that has most."""
        return max((len(some) for some in _by_type(self.few).values()), default=0)


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a detector learns from: ``good`` pictures, and ``groups`` of defective ones, which it
    sees equally often."""

    good: tuple[TrainingPicture, ...]
    groups: tuple[tuple[TrainingPicture, ...], ...]

    @property
    def pictures(self) -> list[TrainingPicture]:
        return [*self.good, *(one for group in self.groups for one in group)]


def content_of(setting: Setting, sources: Sources) -> Content:
    """What ``setting`` lets a detector learn from of one object."""
    arm = ARMS[setting.arm]
    few = first_shots(sources.few, setting.shots)
    pairs = first_pairs(sources.pairs, setting.pairs)
    real: list[TrainingPicture] = [*few] if arm.few else []
    real += sources.further if arm.all_real else ()
    made: list[TrainingPicture] = [*pairs] if arm.pairs else []
    if arm.baseline:
        made += spoiled(arm.baseline, pairs, few, sources.textures)
    groups = tuple(tuple(group) for group in (real, made) if group)
    return Content(good=sources.good, groups=groups)


def spoiled(
    kind: Baseline, pairs: Sequence[Pair], few: Sequence[Stored], textures: tuple[str, ...]
) -> list[Spoiled]:
    """A baseline's picture for each of ``pairs``: of the ``few`` of its type, or of
    ``textures``."""
    donors: dict[str, list[DefectImage]] = defaultdict(list)
    for one in few:
        for mask in one.masks:
            donors[mask.defect].append(mask)
    if kind != "cutpaste":
        return [Spoiled(kind=kind, pair=pair, textures=textures) for pair in pairs]
    return [
        Spoiled(kind=kind, pair=pair, donors=tuple(donors[pair.defect]))
        for pair in pairs
        if donors[pair.defect]
    ]


def first_shots(few: Sequence[Stored], shots: int | None) -> list[Stored]:
    """The first ``shots`` of each type, in an order by their names' hash: fewer are among more."""
    if shots is None:
        return list(few)
    return [
        one
        for _, some in sorted(_by_type(few).items())
        for one in sorted(some, key=lambda item: _rank(item.image.rpartition("/")[2]))[:shots]
    ]


def first_pairs(pairs: Sequence[Pair], count: int | None) -> list[Pair]:
    """The first ``count`` pairs, types in turn, in an order by their ids' hash."""
    if count is None:
        return list(pairs)
    columns = [
        sorted(some, key=lambda pair: _rank(pair.request_id))
        for _, some in sorted(_by_type(pairs).items())
    ]
    turns = [pair for row in zip_longest(*columns) for pair in row if pair is not None]
    return turns[:count]


P = TypeVar("P", bound=TrainingPicture)


def _by_type(pictures: Sequence[P]) -> dict[str | None, list[P]]:
    found: dict[str | None, list[P]] = defaultdict(list)
    for one in pictures:
        found[one.defect].append(one)
    return found


def _rank(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
