"""From a raw data set to a prepared one: listed, checked, split, its objects outlined."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core import images
from adabldm.core.faults import InputFault
from adabldm.core.names import name_fault, object_fault
from adabldm.core.objects import ObjectFolder, Surface
from adabldm.core.picture_uri import DatasetFault, read_picture, split_fragment
from adabldm.core.progress import Progress, untold
from adabldm.data import inspection, opening, prepared, split, split_file
from adabldm.data.inspection import InspectedPicture
from adabldm.data.layouts import DatasetFinding, Picture, Tree
from adabldm.data.options import DatasetOptions
from adabldm.foreground.object_masks import ObjectMasks

AT_ONCE = 64
"""Pictures that are held while their object masks are made."""

WriteFile = Callable[[str, bytes], None]
"""Puts a file, whole, at a path of the prepared folder."""


@dataclass(frozen=True, kw_only=True)
class CheckedDataset:
    """A data set whose files were all read: what is usable, on which side, what is wrong, and
    what was decided about masks."""

    tree: Tree
    layout: str
    pictures: tuple[InspectedPicture, ...]
    sides: Mapping[str, split.Side]
    surfaces: Mapping[str, Surface]
    faults: tuple[DatasetFinding, ...]
    notes: tuple[DatasetFinding, ...]
    remarks: tuple[str, ...]

    def of_object(self, name: str) -> list[InspectedPicture]:
        return [found for found in self.pictures if found.picture.object == name]

    @property
    def objects(self) -> list[str]:
        return sorted({found.picture.object for found in self.pictures})


def check(dataset: str, options: DatasetOptions, progress: Progress = untold) -> CheckedDataset:
    """Read and split the data set at ``dataset``; ``progress`` counts its files.

    Raises :class:`InputFault` if it has no known layout, or nothing in it is usable.
    """
    try:
        tree = Tree(dataset)
        if prepared.INDEX in tree.sizes:
            raise InputFault.of("DATASET", dataset, "is a prepared data set already")
        listing = opening.list_pictures(tree, options)
    except DatasetFault as fault:
        raise InputFault(f"DATASET: {fault}") from fault
    pictures, unnamed = _with_usable_names(listing.pictures)
    inspected = inspection.inspect(tree, pictures, progress)
    usable, broken = inspected.pictures, inspected.faults
    try:
        sides, unsplit = opening.split_pictures([found.picture for found in usable], options)
    except DatasetFault as fault:
        raise InputFault(f"--split: {fault}") from fault
    lacking = _lacking(listing.pictures, usable, sides)
    faults = sorted([*listing.faults, *unnamed, *broken, *unsplit, *lacking], key=_by_path)
    if not usable:
        lines = (f"DATASET: {fault}" for fault in faults)
        raise InputFault(f"DATASET: {dataset!r}: holds no picture that can be used", *lines)
    surfaces = dict(listing.surfaces)
    if options.surface != "auto":
        surfaces = {found.picture.object: options.surface for found in usable}
    return CheckedDataset(
        tree=tree,
        layout=listing.layout,
        pictures=tuple(usable),
        sides=sides,
        surfaces=surfaces,
        faults=tuple(faults),
        notes=tuple(sorted(inspected.notes, key=_by_path)),
        remarks=listing.remarks,
    )


def _by_path(fault: DatasetFinding) -> tuple[str, str]:
    return fault.path, fault.kind


def _with_usable_names(pictures: Sequence[Picture]) -> tuple[list[Picture], list[DatasetFinding]]:
    """Pictures whose object and type can name folders of an output; a fault for each name."""
    faults: dict[str, DatasetFinding] = {}
    usable: list[Picture] = []
    for picture in pictures:
        rule, name = object_fault(picture.object), picture.object
        if rule is None and picture.defect is not None:
            rule, name = name_fault(picture.defect), f"{picture.object}: {picture.defect}"
        if rule is None:
            usable.append(picture)
        else:
            faults[name] = DatasetFinding("name", name, f"cannot name a folder: {rule}")
    return usable, list(faults.values())


def _lacking(
    listed: Sequence[Picture],
    usable: Sequence[InspectedPicture],
    sides: Mapping[str, split.Side],
) -> list[DatasetFinding]:
    """What an object lacks, once the unusable is gone."""
    faults: list[DatasetFinding] = []
    left: dict[tuple[str, str | None], list[split.Side]] = defaultdict(list)
    for found in usable:
        left[found.picture.object, found.picture.defect].append(sides[found.picture.path])
    for name, defect in sorted({(p.object, p.defect or "") for p in listed}):
        on = left[name, defect or None]
        if not defect and "good" not in on:
            faults.append(
                DatasetFinding("nothing-left", name, "has no usable good picture to plan on")
            )
        if defect and "few" not in on:
            rule = (
                "has no usable picture to learn from"
                if not on
                else ("has no picture to learn from: each has its group among the test pictures")
            )
            faults.append(DatasetFinding("nothing-left", f"{name}: {defect}", rule))
    return faults


@dataclass(frozen=True, kw_only=True)
class Outlined:
    """What looking at the good pictures gave: paths of object masks in the prepared folder.

    ``sides`` are those of :class:`CheckedDataset`, but pictures without an object are left out.
    """

    sides: Mapping[str, split.Side]
    surfaces: Mapping[str, Surface]
    masks: Mapping[str, str]
    faults: tuple[DatasetFinding, ...] = ()

    @classmethod
    def unseen(cls, checked: CheckedDataset) -> Outlined:
        """Nobody has looked."""
        return cls(sides=checked.sides, surfaces=checked.surfaces, masks={})


def outline(
    checked: CheckedDataset,
    options: DatasetOptions,
    write_file: WriteFile,
    progress: Progress = untold,
) -> Outlined:
    """Find each object's surface, and write the object mask of every good picture of an object.

    ``progress`` counts good pictures.
    """
    sides = dict(checked.sides)
    surfaces: dict[str, Surface] = dict(checked.surfaces)
    masks: dict[str, str] = {}
    faults: list[DatasetFinding] = []
    goods = _goods_to_look_at(checked)
    total, done = sum(map(len, goods.values())), 0
    folders = _folders(checked, options)
    for name, paths in goods.items():
        object_masks = ObjectMasks(folders[name])
        predicted = object_masks.predictor.surface
        if surfaces.setdefault(name, predicted) == "texture":
            continue
        if predicted == "texture":
            rule = "is said to be an object, but its good pictures show none before a background"
            faults.append(DatasetFinding("no-object", name, rule))
            continue
        for path, mask in _masks(checked.tree, paths, object_masks):
            if mask.any():
                masks[path] = mask_key(path)
                write_file(masks[path], images.encode_png(mask))
            else:
                faults.append(DatasetFinding("no-object", path, "no object is found in it"))
                sides[path] = "left_out"
            done += 1
            progress(done, total)
    return Outlined(sides=sides, surfaces=surfaces, masks=masks, faults=tuple(faults))


def _goods_to_look_at(checked: CheckedDataset) -> dict[str, list[str]]:
    """Paths of the good pictures of each object that is not known to be a texture."""
    goods: dict[str, list[str]] = defaultdict(list)
    for found in checked.pictures:
        name, path = found.picture.object, found.picture.path
        if checked.sides[path] == "good" and checked.surfaces.get(name) != "texture":
            goods[name].append(path)
    return goods


def _folders(checked: CheckedDataset, options: DatasetOptions) -> dict[str, ObjectFolder]:
    """The objects as they would be opened from the data set itself, by name."""
    pictures = [found.picture for found in checked.pictures]
    rows = prepared.to_rows(checked.tree, pictures, checked.sides, checked.surfaces)
    folders = prepared.assemble(rows)
    return {folder.name: replace(folder, backbone=options.backbone) for folder in folders}


def mask_key(path: str) -> str:
    """Where the object mask of the good picture at ``path`` is, in the prepared folder."""
    file, box = split_fragment(path)
    part = f"_{box.x}_{box.y}_{box.width}_{box.height}" if box else ""
    return f"{prepared.FOREGROUND}/{file}{part}.png"


def _masks(
    tree: Tree, paths: Sequence[str], object_masks: ObjectMasks
) -> Iterator[tuple[str, np.ndarray]]:
    """Each of an object's good pictures with its object mask, uint8 (H, W) of 0 / 255."""
    uris = [tree.uri(path) for path in paths]
    with ThreadPoolExecutor(inspection.READERS) as pool:
        for start in range(0, len(paths), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            pictures = list(pool.map(read_picture, uris[some]))
            masks = map(object_masks.mask, uris[some], pictures)
            yield from zip(paths[some], masks, strict=True)


def write(
    checked: CheckedDataset, outlined: Outlined, options: DatasetOptions, write_file: WriteFile
) -> None:
    """Write split, faults and, last, the index, whose presence says that the folder is whole."""
    pictures = [found.picture for found in checked.pictures]
    made = (None, None) if options.split_file else (options.split_seed, options.shots)
    text = split_file.dump(pictures, outlined.sides, *made)
    write_file(prepared.SPLIT, text.encode())
    write_file(prepared.FAULTS, faults_csv([*checked.faults, *outlined.faults, *checked.notes]))
    rows = prepared.to_rows(checked.tree, pictures, outlined.sides, outlined.surfaces)
    complete = [
        replace(
            row,
            height=found.height,
            width=found.width,
            defect_share=found.defect_share,
            foreground=outlined.masks.get(found.picture.path),
        )
        for row, found in zip(rows, checked.pictures, strict=True)
    ]
    table = pa.Table.from_pylist([vars(row) for row in complete], prepared.SCHEMA)
    index = io.BytesIO()
    pq.write_table(table, index, compression="zstd")
    write_file(prepared.INDEX, index.getvalue())


def faults_csv(faults: Sequence[DatasetFinding]) -> bytes:
    """``kind,path,rule``, one fault a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "path", "rule"])
    writer.writerows([fault.kind, fault.path, fault.rule] for fault in faults)
    return text.getvalue().encode(errors="backslashreplace")
