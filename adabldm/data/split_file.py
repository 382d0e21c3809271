"""Splits that are written down: our ``split.json``, or a plain list of the few."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from adabldm.core.json_text import load_json
from adabldm.core.picture_uri import DatasetFault, read_bytes, split_fragment
from adabldm.data.layouts.paths import spelled, tails
from adabldm.data.layouts.records import DatasetFinding, Key, Picture
from adabldm.data.layouts.tree import decode_text
from adabldm.data.split import Given, Side

DEFECT_SIDES = ("few", "held_out", "left_out")
FORMAT = 1

Entry = tuple[str, str | None]
"""A path as it is written, and the type that it is written under, if any."""


def dump(
    pictures: Sequence[Picture], sides: Mapping[Key, Side], seed: int | None, shots: int | None
) -> str:
    """``split.json``: for each object and type the paths of the few, held out and left out.

    ``seed`` and ``shots`` are None for a split that was given.
    """
    objects: dict[str, Any] = {}
    for picture in pictures:
        side = sides[picture.key]
        if picture.defect:
            types = objects.setdefault(picture.object, {}).setdefault("defects", {})
            types.setdefault(picture.defect, {name: [] for name in DEFECT_SIDES})[side].append(
                picture.path
            )
        elif side == "left_out":
            objects.setdefault(picture.object, {}).setdefault("good_left_out", []).append(
                picture.path
            )
    content = {"format": FORMAT, "seed": seed, "shots": shots, "objects": objects}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def load(uri: str, pictures: Sequence[Picture]) -> tuple[Given, list[DatasetFinding]]:
    """The split at ``uri`` for these ``pictures``, and what it names that is not among them.

    A list has one picture a line: the end of its path, or a longer path that holds the object's
    folder and what is below it; the suffix may be left out. Lines with ``#`` are comments.
    Raises :class:`DatasetFault` if the file is neither.
    """
    text = decode_text(read_bytes(uri), uri)
    finder = _Finder(pictures)
    if text.lstrip().startswith("{"):
        sides = _read_json(text, uri)
    else:
        lines = (line.strip() for line in text.splitlines())
        sides = {"few": [(line, None) for line in lines if line and not line.startswith("#")]}
    given = Given(**{side: frozenset(finder.find(paths)) for side, paths in sides.items()})
    if not given.few:
        raise DatasetFault(f"{uri}: names no defect picture of this data set to learn from")
    return given, finder.faults


def _read_json(text: str, uri: str) -> dict[str, list[Entry]]:
    try:
        content = load_json(text)
        if content["format"] != FORMAT:
            raise DatasetFault(f"{uri}: format: {content['format']!r}: must be {FORMAT}")
        types = [kind for item in content["objects"].values() for kind in item["defects"].items()]
        sides: dict[str, list[Entry]] = {
            side: [(path, defect) for defect, kind in types for path in kind[side]]
            for side in DEFECT_SIDES
        }
    except DatasetFault:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetFault(f"{uri}: is not a split.json of this program: {error!r}") from error
    if not all(isinstance(path, str) for entries in sides.values() for path, _ in entries):
        raise DatasetFault(f"{uri}: is not a split.json of this program: a path must be text")
    return sides


class _Finder:
    """Finds defect pictures by the ends of their paths."""

    def __init__(self, pictures: Iterable[Picture]) -> None:
        self.faults: list[DatasetFinding] = []
        self._known: dict[str, list[Key]] = defaultdict(list)
        self._whole: set[str] = set()
        for picture in pictures:
            if not picture.defect:
                continue
            file, _ = split_fragment(picture.path)
            for path in {picture.path, file, str(PurePosixPath(file).with_suffix(""))}:
                whole = spelled(f"{picture.object}/{path.removeprefix(picture.object + '/')}")
                self._whole.add(whole)
                for tail in tails(whole):
                    self._known[tail].append(picture.key)

    def find(self, entries: Iterable[Entry]) -> set[Key]:
        found: set[Key] = set()
        for entry, defect in entries:
            wanted = spelled(entry)
            # From the object's folder on, in a longer path; else the end of the picture's path.
            whole = next((tail for tail in tails(wanted) if tail in self._whole), wanted)
            keys = [key for key in self._known.get(whole, []) if defect in (None, key[1])]
            files = sorted({split_fragment(path)[0] for path, _ in keys})
            if len(files) == 1:
                found |= set(keys)
            elif files:
                rule = f"in the split fits {len(files)} pictures, as {files[0]} and {files[1]}"
                self.faults.append(DatasetFinding("split-unclear", entry, rule))
            else:
                rule = "in the split is no defect picture of this data set that can be used"
                self.faults.append(DatasetFinding("split-missing", entry, rule))
        return found
