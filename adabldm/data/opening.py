"""The one door to a data set: a folder that ``adabldm prepare`` wrote, or any raw layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import DatasetFault
from adabldm.data import layouts, prepared, split_file
from adabldm.data.annotations import Column, annotate
from adabldm.data.layouts import DatasetFinding, Listing, Picture, Tree
from adabldm.data.options import AUTO, DatasetOptions
from adabldm.data.own_object_masks import with_object_masks
from adabldm.data.split import Side, divide

SHOWN_FAULTS = 10


def open_dataset(uri: str, options: DatasetOptions | None = None) -> list[ObjectFolder]:
    """The objects at ``uri``, split into what may be learned from and what is for evaluation.

    ``uri`` is a prepared folder, whose own split holds and whose pictures were checked, or a raw
    data set, which is listed and split here as ``adabldm prepare`` does; its pictures are not
    decoded (of KolektorSDD2's the masks are).

    Raises :class:`DatasetFault` if it cannot be read, has no known layout, or if its folders alone
    show a fault (``adabldm prepare`` lists all and can work with the rest); for a prepared folder
    also if ``options`` would split it anew.
    """
    options = options or DatasetOptions()
    tree = Tree(uri)
    if prepared.INDEX in tree.sizes and options.layout == AUTO:
        if options.splits:
            raise DatasetFault(
                f"{uri}: is prepared, its split is made; split the raw data set, with its shots, "
                "seed, groups and captions"
            )
        folders = prepared.open_prepared(tree)
    else:
        folders = _open_raw(tree, uri, options)
    folders = [_as_said(folder, options) for folder in folders]
    return _with_own_masks(folders, options.object_masks) if options.object_masks else folders


def _with_own_masks(folders: list[ObjectFolder], uri: str) -> list[ObjectFolder]:
    own = with_object_masks(folders, uri)
    for name, without in own.missing.items():
        named = ", ".join(without[:SHOWN_FAULTS])
        raise DatasetFault(
            f"{uri}: holds no object mask of {len(without)} good pictures of {name} ({named}"
            f"{', ...' if len(without) > SHOWN_FAULTS else ''}); `adabldm prepare` leaves them out"
        )
    return list(own.objects)


def _open_raw(tree: Tree, uri: str, options: DatasetOptions) -> list[ObjectFolder]:
    listing = list_pictures(tree, options)
    sides, missing = split_pictures(listing.pictures, options)
    if faults := [*listing.faults, *missing]:
        lines = [f"{uri}: {fault}" for fault in faults[:SHOWN_FAULTS]]
        if more := len(faults) - len(lines):
            lines.append(f"{uri}: and {more} more; `adabldm prepare` lists them all")
        raise DatasetFault("\n".join(lines))
    rows = prepared.to_rows(tree, listing.pictures, sides, dict(listing.surfaces))
    return prepared.assemble(rows)


def _as_said(folder: ObjectFolder, options: DatasetOptions) -> ObjectFolder:
    surface = folder.surface if options.surface == "auto" else options.surface
    return replace(folder, surface=surface, backbone=options.backbone)


def list_pictures(tree: Tree, options: DatasetOptions) -> Listing:
    """The pictures of the raw data set at ``tree``, with their groups and captions.

    Raises :class:`DatasetFault` if it has no known layout, or a table cannot be read.
    """
    listing = layouts.read(tree, options.layout)
    tables: list[tuple[str | None, Column]] = [
        (options.groups, "group"),
        (options.captions, "caption"),
    ]
    for table, column in tables:
        if table:
            pictures, faults = annotate(listing.pictures, table, column)
            listing = replace(listing, pictures=pictures, faults=(*listing.faults, *faults))
    return listing


def split_pictures(
    pictures: Sequence[Picture], options: DatasetOptions
) -> tuple[dict[str, Side], list[DatasetFinding]]:
    """The side of each picture, by its path, and what a written split names that is not there.

    Raises :class:`DatasetFault` for a written split that cannot be kept.
    """
    given = None
    faults: list[DatasetFinding] = []
    if options.split_file:
        given, faults = split_file.load(options.split_file, pictures)
    sides = divide(pictures, shots=options.shots, seed=options.split_seed, given=given)
    return sides, faults
