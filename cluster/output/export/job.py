"""An export from its first look to its last file; interrupted, it goes on where it was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from adabldm.core.ahead import ahead
from adabldm.core.faults import InputFault
from adabldm.core.json_text import load_json
from adabldm.core.progress import Progress, untold
from cluster.output.export.formats import FORMATS, Format
from cluster.output.export.items import Item, read_item
from cluster.output.export.layout import AllFacts, Contents, Facts, Folder
from cluster.output.export.selection import GoodPicture, Selection, Split, Unit
from cluster.output.index import Ledger
from cluster.storage.location import Location

NOTES = ".export"
"""Folder in an export of what is done; readers of any layout pass over it."""
BINDING = f"{NOTES}/export.json"
UNIT = 500
"""Pictures that are written, and noted as done, together."""
READERS = 8


@dataclass(frozen=True, kw_only=True)
class ExportSpec:
    """What to export: ``output`` (of ``generate``) to ``target`` in a ``format`` of
    :data:`~cluster.output.export.formats.FORMATS`. ``good`` are good pictures of the data set at
    ``good_of``; ``link`` leaves links where a file is on this machine already.

    Raises :class:`InputFault` naming the field, its value and the rule.
    """

    output: Location
    target: Location
    format: str
    good: Sequence[GoodPicture] = ()
    good_of: str | None = None
    link: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InputFault.of("--format", self.format, f"must be one of {', '.join(FORMATS)}")
        if self.target.inside(self.output) or self.output.inside(self.target):
            rule = f"must be apart from the output {self.output.shown}"
            raise InputFault.of("--output", self.target.shown, rule)
        if self.link and not FORMATS[self.format].links:
            raise InputFault.of("--link", self.format, "has no file a picture: leave it out")
        if self.link and not (self.output.is_local and self.target.is_local):
            raise InputFault.of("--link", self.target.shown, "both folders must be on this machine")

    def with_good(self, pictures: Sequence[GoodPicture]) -> ExportSpec:
        return replace(self, good=pictures)

    @property
    def binding(self) -> dict[str, object]:
        """What an export is bound to."""
        known = {"format": self.format, "of": self.output.uri, "good": self.good_of}
        return {**known, "link": self.link}


@dataclass(frozen=True, kw_only=True)
class Exported:
    """How many ``pairs`` and ``good`` pictures an export holds, how many of both were there
    ``before``, and how many rows are ``left_out``, by status."""

    pairs: int
    good: int
    before: int
    left_out: Counter[str]


def export(spec: ExportSpec, progress: Progress = untold, unit: int = UNIT) -> Exported:
    """Write the export; what an earlier run of the same has done is not done again.

    Raises :class:`InputFault` before anything is written, for an output without accepted pairs, a
    target that holds anything else, or good pictures that lack; :class:`~adabldm.core.faults.
    JobFault` for a picture that is lost.
    """
    if not Ledger(spec.output).exists:
        raise InputFault.of("OUTPUT", spec.output.shown, "has no index")
    bound = _is_bound(spec)
    with Selection() as selection:
        kind = FORMATS[spec.format]
        selection.add_pairs(spec.output, with_sources=kind.needs_good and spec.good_of is None)
        objects = selection.objects(good=False)
        selection.add_good(one for one in spec.good if one.object in objects)
        _refuse_lacking(spec, kind, selection)
        contents = Contents.of(selection)
        folder = Folder(spec.target, link=spec.link)
        if not bound:
            folder.write(BINDING, json.dumps(spec.binding, indent=1).encode() + b"\n")
        layout = kind.layout(folder, contents)
        notes = _Notes(folder, contents)
        tally = _Tally(progress, contents.pairs + contents.good)
        for some in selection.units(unit):
            if notes.read(some) is not None:
                tally.skip(len(some.entries))
                continue
            read = ahead(read_item, some.entries, threads=READERS, held=READERS)
            notes.write(some, layout.write(some, tally.counted(read)))
        layout.finish(notes.all_of(selection, unit))
        folder.tidy()
        return Exported(
            pairs=contents.pairs,
            good=contents.good,
            before=tally.before,
            left_out=selection.left_out,
        )


def refuse_taken(spec: ExportSpec) -> None:
    """Raise :class:`InputFault` if the target holds anything but a part of this export."""
    _is_bound(spec)


def _is_bound(spec: ExportSpec) -> bool:
    """Whether the target holds a part of this export already."""
    place = spec.target.join(BINDING)
    if not place.exists():
        if (some := next(spec.target.files(), None)) is not None:
            rule = f"holds {some} and is no export: name an empty folder"
            raise InputFault.of("--output", spec.target.shown, rule)
        return False
    try:
        held = load_json(place.read())
    except ValueError as error:
        raise InputFault.of("--output", place.shown, "is not what an export writes") from error
    if held != spec.binding:
        told = [
            f"{n}: {held.get(n)!r}, now {v!r}" for n, v in spec.binding.items() if held.get(n) != v
        ]
        rule = f"holds another export ({'; '.join(told)}): name another folder"
        raise InputFault.of("--output", spec.target.shown, rule)
    return True


def _refuse_lacking(spec: ExportSpec, kind: Format, selection: Selection) -> None:
    if not selection.count(good=False):
        left = ", ".join(f"{n} {status}" for status, n in sorted(selection.left_out.items()))
        rule = f"has no accepted pair ({left or 'no row'})"
        raise InputFault.of("OUTPUT", spec.output.shown, rule)
    objects = selection.objects(good=False)
    lacking = sorted(objects - selection.objects(good=True, split="train"))
    if lacking and spec.good_of is not None:
        raise InputFault.of("--good", spec.good_of, f"has no good picture of {', '.join(lacking)}")
    if lacking and kind.needs_good:
        rule = (
            f"has kept no good picture of {', '.join(lacking)}, which {spec.format} must have: "
            "name the data set that has them with --good (or generate with --keep source)"
        )
        raise InputFault.of("OUTPUT", spec.output.shown, rule)


class _Tally:
    """Tells how many pictures are done; ``before`` of them were."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total
        self._done = self.before = 0

    def skip(self, count: int) -> None:
        self._done += count
        self.before += count

    def counted(self, items: Iterator[Item]) -> Iterator[Item]:
        for item in items:
            yield item
            self._done += 1
            self._progress(self._done, self._total)


class _Notes:
    """What is done of an export, in its own folder."""

    def __init__(self, folder: Folder, contents: Contents) -> None:
        self._folder, self._contents = folder, contents

    def write(self, unit: Unit, facts: Facts) -> None:
        """Note that a unit is done."""
        note = {"digest": self._contents.digest(unit), "facts": facts}
        self._folder.write(_note(unit), json.dumps(note, ensure_ascii=False).encode())

    def read(self, unit: Unit) -> Facts | None:
        """What a unit has told when it was done; None if it was not, or held something else."""
        try:
            note = load_json(self._folder.place.join(_note(unit)).read())
        except (FileNotFoundError, ValueError):
            return None
        return note["facts"] if note.get("digest") == self._contents.digest(unit) else None

    def all_of(self, selection: Selection, size: int) -> AllFacts:
        def told() -> Iterator[tuple[Split, Facts]]:
            for unit in selection.units(size):
                yield unit.split, self.read(unit) or []

        return told


def _note(unit: Unit) -> str:
    return f"{NOTES}/{unit.split}-{unit.number:06d}.json"
