"""Few-shot split: a few real defects a type to learn from, the rest kept for evaluation.

Pictures of one group (one specimen, or one tall picture) are never parted: a group is on the
training side or on the evaluation side. The order in which groups are taken is a hash of seed,
type and name, so a data set that grows keeps its split but for what is new.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from adabldm.core.picture_uri import DatasetFault
from adabldm.data.layouts.records import Key, Picture
from adabldm.data.options import SHOTS

Side = Literal["good", "test_good", "few", "held_out", "left_out"]


@dataclass(frozen=True, kw_only=True)
class Given:
    """A split that was written down. What it does not name, the rules place."""

    few: frozenset[Key]
    held_out: frozenset[Key] = field(default_factory=frozenset)
    left_out: frozenset[Key] = field(default_factory=frozenset)


def divide(
    pictures: Sequence[Picture], *, shots: int = SHOTS, seed: int = 0, given: Given | None = None
) -> dict[Key, Side]:
    """The side of each picture, by its path and type.

    ``shots`` defect pictures a type become ``few``, spread over as many groups as half of the
    type's (never less than it takes). A group with a picture of the training part is on the
    training side whole, one with a picture of the test part on the evaluation side; what would
    put a group on both is ``left_out``. With ``given`` its ``few`` are taken instead.
    Raises :class:`DatasetFault` if ``given`` has a group on both sides.
    """
    by_object: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        by_object[picture.object].append(picture)
    sides: dict[Key, Side] = {}
    for members in by_object.values():
        sides.update(_divide_object(members, shots, seed, given))
    return sides


def group_of(picture: Picture) -> str:
    """What a split may not part, unique in its object; a picture without a group is its own."""
    if picture.group is not None:
        return f"group {picture.group}"
    # The object's folder is left out: an object opened by itself splits as among others.
    return f"picture {picture.path.removeprefix(picture.object + '/')}"


def _divide_object(
    pictures: Sequence[Picture], shots: int, seed: int, given: Given | None
) -> dict[Key, Side]:
    training = {group_of(p) for p in pictures if p.part == "train"}
    if given is None:
        few, taken = _choose(pictures, training, shots, seed)
    else:
        few = {p.key for p in pictures if p.key in given.few and p.defect}
        taken = {group_of(p) for p in pictures if p.key in few}
    training |= taken
    sides = {p.key: _side(p, few, group_of(p) in training) for p in pictures}
    return sides if given is None else _as_given(pictures, sides, given)


def _side(picture: Picture, few: set[Key], on_training_side: bool) -> Side:
    if picture.key in few:
        return "few"
    if picture.defect:
        return "left_out" if on_training_side else "held_out"
    if picture.part == "test":
        return "left_out" if on_training_side else "test_good"
    return "good" if on_training_side else "test_good"


def _choose(
    pictures: Sequence[Picture], training: set[str], shots: int, seed: int
) -> tuple[set[Key], set[str]]:
    """The few, and the groups that they take to the training side."""
    evaluation = {group_of(p) for p in pictures if p.part == "test"} - training
    by_type: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for picture in pictures:
        if picture.defect:
            by_type[picture.defect][group_of(picture)].append(picture.path)
    few: set[Key] = set()
    taken: set[str] = set()
    # Types with few groups first: what they need decides where a shared group goes.
    for defect, groups in sorted(by_type.items(), key=lambda item: (len(item[1]), item[0])):
        free = _shuffled((g for g in groups if g not in evaluation), seed, defect)
        free.sort(key=lambda group: group not in training | taken)  # stable
        most = min(shots, len(groups) // 2)
        chosen: list[str] = []
        while free and (len(chosen) < most or sum(len(groups[g]) for g in chosen) < shots):
            chosen.append(free.pop(0))
        paths = _in_turn([_shuffled(groups[g], seed, defect) for g in chosen])[:shots]
        few |= {(path, defect) for path in paths}
        taken |= set(chosen)
    return few, taken


def _shuffled(names: Iterable[str], seed: int, purpose: str) -> list[str]:
    def rank(name: str) -> bytes:
        return hashlib.sha256(f"{seed}/{purpose}/{name}".encode()).digest()

    return sorted(names, key=rank)


def _in_turn(groups: Sequence[Sequence[str]]) -> list[str]:
    """The first of each group, then the second of each, and so on."""
    longest = max(map(len, groups), default=0)
    return [group[i] for i in range(longest) for group in groups if i < len(group)]


def _as_given(
    pictures: Sequence[Picture], sides: Mapping[Key, Side], given: Given
) -> dict[Key, Side]:
    for picture in pictures:
        if picture.key in given.held_out and sides[picture.key] in ("few", "left_out"):
            raise DatasetFault(
                f"split: {picture.path}: is held out, but {group_of(picture)} is learned from"
            )
    return {
        key: "left_out" if key in given.left_out and side != "few" else side
        for key, side in sides.items()
    }
