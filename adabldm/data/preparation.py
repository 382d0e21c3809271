"""From a raw data set to a prepared one: listed, checked, split, its objects outlined."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core import images
from adabldm.core.data_uri import content, is_data
from adabldm.core.faults import InputFault
from adabldm.core.objects import ObjectFolder, Surface
from adabldm.core.picture_uri import DatasetFault, read_bytes, split_fragment
from adabldm.core.progress import Progress, untold
from adabldm.data import accounting, inspection, opening, prepared, split, split_file
from adabldm.data.inspection import InspectedPicture
from adabldm.data.layouts import DatasetFinding, Key, Picture, Tree
from adabldm.data.naming import with_usable_names
from adabldm.data.options import DatasetOptions
from adabldm.data.own_object_masks import with_object_masks
from adabldm.foreground.object_masks import ObjectMasks, on_all_cores
from adabldm.foreground.sealed_masks import seal_of, sealed_png, unsealed

WriteFile = Callable[[str, bytes], None]
"""Puts a file, whole, at a path of the prepared folder."""

ReadFile = Callable[[str], bytes | None]
"""The file at a path of the prepared folder, None if there is none."""


def nothing_there(path: str) -> None:
    """A prepared folder that is empty."""
    del path


@dataclass(frozen=True, kw_only=True)
class CheckedDataset:
    """A data set whose files were all read: what is usable, on which side, what is wrong, and
    what was decided about masks."""

    tree: Tree
    layout: str
    pictures: tuple[InspectedPicture, ...]
    sides: Mapping[Key, split.Side]
    surfaces: Mapping[str, Surface]
    faults: tuple[DatasetFinding, ...]
    notes: tuple[DatasetFinding, ...]
    remarks: tuple[str, ...]

    def count(self, outlined: Outlined) -> accounting.Count:
        """The data set's picture files, once its objects were looked at."""
        gone = {fault.path for fault in outlined.faults}
        on, off = [], []
        for picture in (found.picture for found in self.pictures):
            if outlined.sides[picture.key] != "left_out":
                on.append(picture)
            elif picture.path not in gone:
                off.append(picture)
        return accounting.count(self.tree, on, off)

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
    pictures, unnamed = with_usable_names(listing.pictures)
    inspected = inspection.inspect(tree, pictures, progress)
    usable, broken = inspected.pictures, inspected.faults
    try:
        sides, unsplit = opening.split_pictures([found.picture for found in usable], options)
    except DatasetFault as fault:
        raise InputFault(f"--split: {fault}") from fault
    lacking = _lacking(listing.pictures, usable, sides)
    faults = [*listing.faults, *unnamed, *broken, *unsplit]
    faults += accounting.unexplained(tree, [found.picture for found in usable], faults)
    faults = sorted([*faults, *lacking], key=_by_path)
    if not usable:
        lines = (f"DATASET: {line}" for line in accounting.lines(faults))
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


def _lacking(
    listed: Sequence[Picture],
    usable: Sequence[InspectedPicture],
    sides: Mapping[Key, split.Side],
) -> list[DatasetFinding]:
    """What an object lacks, once the unusable is gone."""
    faults: list[DatasetFinding] = []
    left: dict[tuple[str, str | None], list[split.Side]] = defaultdict(list)
    for found in usable:
        left[found.picture.object, found.picture.defect].append(sides[found.picture.key])
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

    sides: Mapping[Key, split.Side]
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
    read_file: ReadFile = nothing_there,
) -> Outlined:
    """Find each object's surface, and write the object mask of every good picture of an object.

    ``progress`` counts good pictures. Masks that ``read_file`` gives are kept if they were made of
    the same picture in the same way. Raises :class:`InputFault` naming each object of which it is
    doubtful what it is, before a mask is made.
    """
    sides = dict(checked.sides)
    surfaces: dict[str, Surface] = dict(checked.surfaces)
    masks: dict[str, str] = {}
    goods = _goods_to_look_at(checked)
    folders, faults = _folders(checked, options, goods)
    for fault in faults:
        sides[fault.path, None] = "left_out"
    seen = {name: ObjectMasks(folders[name]) for name in goods}
    surfaces |= _surfaces(seen)
    paths = [
        (name, path)
        for name, some in goods.items()
        if surfaces[name] == "object"
        for path in some
        if sides[path, None] == "good"
    ]

    def make(item: tuple[str, str]) -> bool:
        name, path = item
        return _make(seen[name], checked.tree.uri(path), mask_key(path), write_file, read_file)

    for done, ((_, path), found) in enumerate(
        zip(paths, on_all_cores(make, paths), strict=True), 1
    ):
        if found:
            masks[path] = mask_key(path)
        else:
            faults.append(DatasetFinding("no-object", path, "no object is found in it: left out"))
            sides[path, None] = "left_out"
        progress(done, len(paths))
    return Outlined(sides=sides, surfaces=surfaces, masks=masks, faults=tuple(faults))


def _surfaces(seen: Mapping[str, ObjectMasks]) -> dict[str, Surface]:
    """The surface of each object. Raises :class:`InputFault` for all that are doubtful."""
    surfaces: dict[str, Surface] = {}
    faults: list[str] = []
    for name, object_masks in seen.items():
        try:
            surfaces[name] = object_masks.surface
        except DatasetFault as fault:
            faults.append(f"DATASET: {fault}")
    if faults:
        raise InputFault(*faults)
    return surfaces


def _make(
    object_masks: ObjectMasks, uri: str, key: str, write_file: WriteFile, read_file: ReadFile
) -> bool:
    """Write the object mask of the good picture at ``uri`` to ``key``, unless it is there; whether
    there is an object."""
    try:
        if object_masks.is_given(uri):
            mask = object_masks.mask(uri)
            if mask.any():
                write_file(key, images.encode_png(mask))
            return bool(mask.any())
        file, box = split_fragment(uri)
        part = box.fragment if box else ""
        seal = seal_of(read_bytes(file), part, object_masks.fingerprint)
        kept = read_file(key)
        if kept is not None and unsealed(kept, seal) is not None:
            return True
        mask = object_masks.mask(uri)
        if mask.any():
            write_file(key, sealed_png(mask, seal))
        return bool(mask.any())
    except DatasetFault as fault:
        raise InputFault(f"DATASET: {fault}") from fault


def _goods_to_look_at(checked: CheckedDataset) -> dict[str, list[str]]:
    """Paths of the good pictures of each object that is not known to be a texture."""
    goods: dict[str, list[str]] = defaultdict(list)
    for found in checked.pictures:
        name, path = found.picture.object, found.picture.path
        if checked.sides[found.picture.key] == "good" and checked.surfaces.get(name) != "texture":
            goods[name].append(path)
    return goods


def _folders(
    checked: CheckedDataset, options: DatasetOptions, goods: Mapping[str, Sequence[str]]
) -> tuple[dict[str, ObjectFolder], list[DatasetFinding]]:
    """The objects as they would be opened from the data set itself, by name, with masks of their
    own if there are some; a fault for each good picture that lacks one."""
    pictures = [found.picture for found in checked.pictures]
    rows = prepared.to_rows(checked.tree, pictures, checked.sides, checked.surfaces)
    folders = [replace(one, backbone=options.backbone) for one in prepared.assemble(rows)]
    faults: list[DatasetFinding] = []
    if options.object_masks:
        try:
            own = with_object_masks(folders, options.object_masks)
        except DatasetFault as fault:
            raise InputFault(f"--object-masks: {fault}") from fault
        folders = list(own.objects)
        for name, without in own.missing.items():
            path_of = {checked.tree.uri(path): path for path in goods[name]}
            rule = f"has no object mask in {options.object_masks}: left out"
            faults += [DatasetFinding("no-mask", path_of[uri], rule) for uri in without]
    return {folder.name: folder for folder in folders}, faults


def mask_key(path: str) -> str:
    """Where the object mask of the good picture at ``path`` is, in the prepared folder."""
    file, box = split_fragment(path)
    part = f"_{box.x}_{box.y}_{box.width}_{box.height}" if box else ""
    return f"{prepared.FOREGROUND}/{file}{part}.png"


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
            mask=_stored_mask(found.picture, write_file) or row.mask,
            height=found.height,
            width=found.width,
            defect_share=found.defect_share,
            foreground=outlined.masks.get(found.picture.path, row.foreground),
        )
        for row, found in zip(rows, checked.pictures, strict=True)
    ]
    table = pa.Table.from_pylist([vars(row) for row in complete], prepared.SCHEMA)
    index = io.BytesIO()
    pq.write_table(table, index, compression="zstd")
    write_file(prepared.INDEX, index.getvalue())


def _stored_mask(picture: Picture, write_file: WriteFile) -> str | None:
    """Where a mask that is no file of the data set is put, in the prepared folder."""
    if picture.mask is None or not is_data(picture.mask):
        return None
    path = f"{prepared.MASKS}/{picture.object}/{picture.defect}/{picture.path}.png"
    write_file(path, content(picture.mask))
    return path


def faults_csv(faults: Sequence[DatasetFinding]) -> bytes:
    """``kind,path,rule``, one fault a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "path", "rule"])
    writer.writerows([fault.kind, fault.path, fault.rule] for fault in faults)
    return text.getvalue().encode(errors="backslashreplace")
