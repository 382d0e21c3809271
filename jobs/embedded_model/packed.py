"""Objects' pictures copied to one folder with what is known of them, to take to another machine."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from adabldm.core.mask_rule import MaskRule
from adabldm.core.objects import DefectImage, ObjectFolder

LIST = "sets.json"
LOOKED_AT = 2
"""Good pictures an object that a training looks at and does not learn from."""


def pack(objects: list[ObjectFolder], output: Path, most_good: int | None = None) -> int:
    """Copy the pictures of ``objects`` that training reads to ``output``; how many they are.

    Of an object's good pictures at most ``most_good`` are copied, spread over all. What is held out
    is not copied.
    """
    copied: list[Path] = []

    def brought(uri: str) -> str:
        source = Path(uri.removeprefix("file://"))
        target = output / "files" / f"{len(copied):05d}{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        copied.append(target)
        return target.relative_to(output).as_posix()

    listed = [asdict(_moved(_learned_from(one, most_good), brought)) for one in objects]
    (output / LIST).write_text(json.dumps(listed, indent=1))
    return len(copied)


def read_packed(folder: Path) -> list[ObjectFolder]:
    """The objects that :func:`pack` wrote to ``folder``."""
    root = folder.resolve()
    listed = json.loads((root / LIST).read_text())
    return [_moved(_read(fields), lambda path: f"file://{root / path}") for fields in listed]


def _read(fields: dict) -> ObjectFolder:
    defects = []
    for one in fields["defects"]:
        rule = one["mask_rule"]
        chosen = MaskRule(kind=rule["kind"], values=tuple(rule["values"]))
        defects.append(DefectImage(**{**one, "mask_rule": chosen}))
    return ObjectFolder(
        name=fields["name"],
        good=tuple(fields["good"]),
        test_good=tuple(fields["test_good"]),
        defects=tuple(defects),
        surface=fields["surface"],
        backbone=fields["backbone"],
    )


def _learned_from(item: ObjectFolder, most_good: int | None) -> ObjectFolder:
    every = max(1, math.ceil(len(item.good) / most_good)) if most_good else 1
    return replace(
        item,
        good=item.good[::every],
        test_good=item.test_good[:LOOKED_AT],
        held_out=(),
        foreground={},
    )


def _moved(item: ObjectFolder, place: Callable[[str], str]) -> ObjectFolder:
    """``item`` with its pictures where ``place`` says."""
    defects = [replace(one, image=place(one.image), mask=place(one.mask)) for one in item.defects]
    return replace(
        item,
        good=tuple(place(uri) for uri in item.good),
        test_good=tuple(place(uri) for uri in item.test_good),
        defects=tuple(defects),
    )
