"""Objects and defect types name folders of an output: those that cannot are found here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from adabldm.core.names import colliding, defect_fault, object_fault
from adabldm.data.layouts.records import DatasetFinding, Picture


def with_usable_names(
    pictures: Sequence[Picture],
) -> tuple[list[Picture], list[DatasetFinding]]:
    """Pictures whose object and type can name folders beside each other; a fault for each name."""
    rules = _object_rules(pictures) | _type_rules(pictures)
    usable: list[Picture] = []
    refused: dict[str, list[Picture]] = defaultdict(list)
    for picture in pictures:
        names = (picture.object, f"{picture.object}: {picture.defect}")
        broken = next((name for name in names if name in rules), None)
        (usable if broken is None else refused[broken]).append(picture)
    kept = {file for picture in usable for file in picture.files}
    faults = [
        DatasetFinding(
            "name", name, rules[name], tuple({f for p in some for f in p.files if f not in kept})
        )
        for name, some in refused.items()
    ]
    return usable, faults


def _object_rules(pictures: Sequence[Picture]) -> dict[str, str]:
    names = sorted({picture.object for picture in pictures})
    return _rules({name: object_fault(name) for name in names}, "")


def _type_rules(pictures: Sequence[Picture]) -> dict[str, str]:
    types: dict[str, set[str]] = defaultdict(set)
    for picture in pictures:
        if picture.defect is not None:
            types[picture.object].add(picture.defect)
    rules: dict[str, str] = {}
    for name, some in types.items():
        rules |= _rules({one: defect_fault(one) for one in sorted(some)}, f"{name}: ")
    return rules


def _rules(faults: dict[str, str | None], before: str) -> dict[str, str]:
    """What each name breaks, by the name with what is written ``before`` it."""
    rules = {f"{before}{name}": rule for name, rule in faults.items() if rule}
    for one, other in colliding(faults):
        for name, twin in ((one, other), (other, one)):
            rules.setdefault(f"{before}{name}", f"would be one folder with {twin!r}")
    return {name: f"cannot name a folder: {rule}" for name, rule in rules.items()}
