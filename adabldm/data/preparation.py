"""From a raw data set to a prepared one: listed, checked, split, its objects outlined."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core import images
from adabldm.core.faults import InputFault
from adabldm.core.names import name_fault, object_fault
from adabldm.core.objects import Surface
from adabldm.core.picture_uri import DatasetFault, read_picture, split_fragment
from adabldm.data import annotations as notes
from adabldm.data import inspection, layouts, prepared, split, split_file
from adabldm.data.inspection import Facts
from adabldm.data.layouts import Fault, Listing, Picture, Tree
from cluster.storage.location import Location
from cluster.storage.whole_files import write_whole
from jobs.progress import Tracker

if TYPE_CHECKING:
    from adabldm.foreground.predictor import ForegroundPredictor

LEARNED_FROM = 32
"""Good pictures of an object that its foreground is learned from."""

AT_ONCE = 64
"""Pictures that are held while their object masks are made."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user asked for; ``surface`` None is found out, with ``foreground``."""

    layout: str = layouts.AUTO
    shots: int = split.SHOTS
    seed: int = 0
    split_file: str | None = None
    groups: str | None = None
    captions: str | None = None
    surface: Surface | None = None
    foreground: bool = True


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A data set whose files were all read: what is usable, on which side, and what is wrong."""

    tree: Tree
    layout: str
    facts: tuple[Facts, ...]
    sides: Mapping[str, split.Side]
    surfaces: Mapping[str, Surface]
    faults: tuple[Fault, ...]
    remarks: tuple[str, ...]

    def of_object(self, name: str) -> list[Facts]:
        return [found for found in self.facts if found.picture.object == name]

    @property
    def objects(self) -> list[str]:
        return sorted({found.picture.object for found in self.facts})


def check(dataset: str, wishes: Wishes) -> Checked:
    """Read and split the data set at ``dataset``.

    Raises :class:`InputFault` if it has no known layout, or nothing in it is usable.
    """
    try:
        tree = Tree(dataset)
        if prepared.INDEX in tree.sizes:
            raise InputFault.of("DATASET", dataset, "is a prepared data set already")
        listing = _annotated(layouts.read(tree, wishes.layout), wishes)
    except DatasetFault as fault:
        raise InputFault(f"DATASET: {fault}") from fault
    faults = list(listing.faults)
    pictures, unnamed = _with_usable_names(listing.pictures)
    faults += unnamed
    total = len({split_fragment(picture.path)[0] for picture in pictures})
    with Tracker("check", total) as tracker:
        facts, broken = inspection.inspect(tree, pictures, tracker.update)
    faults += broken
    sides, unsplit = _split([found.picture for found in facts], wishes)
    faults += unsplit
    faults += _missing(listing.pictures, facts, sides)
    if not facts:
        lines = (f"DATASET: {fault}" for fault in sorted(faults, key=_by_path))
        raise InputFault(f"DATASET: {dataset!r}: holds no picture that can be used", *lines)
    surfaces = dict(listing.surfaces)
    if wishes.surface:
        surfaces = {found.picture.object: wishes.surface for found in facts}
    return Checked(
        tree=tree,
        layout=listing.layout,
        facts=tuple(facts),
        sides=sides,
        surfaces=surfaces,
        faults=tuple(sorted(faults, key=_by_path)),
        remarks=listing.remarks,
    )


def _by_path(fault: Fault) -> tuple[str, str]:
    return fault.path, fault.kind


def _annotated(listing: Listing, wishes: Wishes) -> Listing:
    if wishes.groups:
        pictures, faults = notes.annotate(listing.pictures, wishes.groups, "group")
        listing = replace(listing, pictures=pictures, faults=(*listing.faults, *faults))
    if wishes.captions:
        pictures, faults = notes.annotate(listing.pictures, wishes.captions, "caption")
        listing = replace(listing, pictures=pictures, faults=(*listing.faults, *faults))
    return listing


def _with_usable_names(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Fault]]:
    """Pictures whose object and type can name folders of an output; a fault for each name."""
    faults: dict[str, Fault] = {}
    usable: list[Picture] = []
    for picture in pictures:
        rule, name = object_fault(picture.object), picture.object
        if rule is None and picture.defect is not None:
            rule, name = name_fault(picture.defect), f"{picture.object}: {picture.defect}"
        if rule is None:
            usable.append(picture)
        else:
            faults[name] = Fault("name", name, f"cannot name a folder: {rule}")
    return usable, list(faults.values())


def _split(
    pictures: Sequence[Picture], wishes: Wishes
) -> tuple[dict[str, split.Side], list[Fault]]:
    given = None
    faults: list[Fault] = []
    try:
        if wishes.split_file:
            given, faults = split_file.load(wishes.split_file, pictures)
        return split.divide(pictures, shots=wishes.shots, seed=wishes.seed, given=given), faults
    except DatasetFault as fault:
        raise InputFault(f"--split: {fault}") from fault


def _missing(
    listed: Sequence[Picture], facts: Sequence[Facts], sides: Mapping[str, split.Side]
) -> list[Fault]:
    """What an object lacks, once the unusable is gone."""
    faults: list[Fault] = []
    left: dict[tuple[str, str | None], list[split.Side]] = defaultdict(list)
    for found in facts:
        left[found.picture.object, found.picture.defect].append(sides[found.picture.path])
    for name, defect in sorted({(p.object, p.defect or "") for p in listed}):
        on = left[name, defect or None]
        if not defect and "good" not in on:
            faults.append(Fault("nothing-left", name, "has no usable good picture to plan on"))
        if defect and "few" not in on:
            rule = (
                "has no usable picture to learn from"
                if not on
                else ("has no picture to learn from: each has its group among the test pictures")
            )
            faults.append(Fault("nothing-left", f"{name}: {defect}", rule))
    return faults


@dataclass(frozen=True, kw_only=True)
class Outlined:
    """What looking at the good pictures gave: paths of object masks in the prepared folder.

    ``sides`` are those of :class:`Checked`, but pictures without an object are left out.
    """

    sides: Mapping[str, split.Side]
    surfaces: Mapping[str, Surface]
    masks: Mapping[str, str]
    faults: tuple[Fault, ...] = ()


def outline(checked: Checked, output: Location, wishes: Wishes) -> Outlined:
    """Find each object's surface, and write the object mask of every good picture of an object."""
    if not wishes.foreground:
        return Outlined(sides=checked.sides, surfaces=checked.surfaces, masks={})
    sides = dict(checked.sides)
    surfaces: dict[str, Surface] = dict(checked.surfaces)
    masks: dict[str, str] = {}
    faults: list[Fault] = []
    todo: dict[str, list[str]] = defaultdict(list)
    for found in checked.facts:
        name, path = found.picture.object, found.picture.path
        if checked.sides[path] == "good" and surfaces.get(name) != "texture":
            todo[name].append(path)
    with Tracker("outline", sum(map(len, todo.values()))) as tracker:
        done = 0
        for name, paths in todo.items():
            predictor = _predictor(checked.tree, paths)
            if surfaces.setdefault(name, predictor.surface) == "texture":
                continue
            if predictor.surface == "texture":
                rule = (
                    "is said to be an object, but its good pictures show none before a background"
                )
                faults.append(Fault("no-object", name, rule))
                continue
            for path, mask in _masks(checked.tree, paths, predictor):
                if mask.any():
                    masks[path] = mask_key(path)
                    output.join(masks[path]).write(images.encode_png(mask))
                else:
                    faults.append(Fault("no-object", path, "no object is found in it"))
                    sides[path] = "left_out"
                done += 1
                tracker.update(done)
    return Outlined(sides=sides, surfaces=surfaces, masks=masks, faults=tuple(faults))


def mask_key(path: str) -> str:
    """Where the object mask of the good picture at ``path`` is, in the prepared folder."""
    file, box = split_fragment(path)
    part = f"_{box.x}_{box.y}_{box.width}_{box.height}" if box else ""
    return f"{prepared.FOREGROUND}/{file}{part}.png"


def _read(tree: Tree, paths: Sequence[str]) -> list[np.ndarray]:
    with ThreadPoolExecutor(inspection.READERS) as pool:
        return list(pool.map(lambda path: read_picture(tree.uri(path)), paths))


def _predictor(tree: Tree, paths: Sequence[str]) -> ForegroundPredictor:
    """What a few dozen of an object's good pictures say about its foreground."""
    # Here, because the model's libraries take seconds to load.
    from adabldm.foreground.predictor import fit_foreground

    step = max(1, len(paths) // LEARNED_FROM)
    return fit_foreground(_read(tree, paths[::step][:LEARNED_FROM]))


def _masks(
    tree: Tree, paths: Sequence[str], predictor: ForegroundPredictor
) -> Iterator[tuple[str, np.ndarray]]:
    """Each of an object's good pictures with its object mask, uint8 (H, W) of 0 / 255."""
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        yield from zip(some, map(predictor.mask, _read(tree, some)), strict=True)


def write(checked: Checked, outlined: Outlined, output: Location, wishes: Wishes) -> None:
    """Write split, faults and, last, the index, whose presence says that the folder is whole."""
    pictures = [found.picture for found in checked.facts]
    given = wishes.split_file is not None
    text = split_file.dump(
        pictures, outlined.sides, None if given else wishes.seed, None if given else wishes.shots
    )
    output.join(prepared.SPLIT).write(text.encode())
    output.join(prepared.FAULTS).write(faults_csv([*checked.faults, *outlined.faults]))
    rows = prepared.to_rows(checked.tree, pictures, outlined.sides, outlined.surfaces)
    complete = [
        replace(
            row,
            height=found.height,
            width=found.width,
            defect_share=found.defect_share,
            foreground=outlined.masks.get(found.picture.path),
        )
        for row, found in zip(rows, checked.facts, strict=True)
    ]
    table = pa.Table.from_pylist([vars(row) for row in complete], prepared.SCHEMA)
    with write_whole(output.join(prepared.INDEX)) as handle:
        pq.write_table(table, handle, compression="zstd")


def faults_csv(faults: Sequence[Fault]) -> bytes:
    """``kind,path,rule``, one fault a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "path", "rule"])
    writer.writerows([fault.kind, fault.path, fault.rule] for fault in faults)
    return text.getvalue().encode()
