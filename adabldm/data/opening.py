"""The one door to a data set: a folder that ``adabldm prepare`` wrote, or any raw layout."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

from adabldm.core.mask_rule import AUTO as AUTO_RULE
from adabldm.core.mask_rule import MaskRule
from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import DatasetFault
from adabldm.data import accounting, inspection, layouts, prepared, split_file, twins
from adabldm.data.annotations import Column, annotate
from adabldm.data.layouts import DatasetFinding, Key, Listing, Picture, Tree
from adabldm.data.naming import with_usable_names
from adabldm.data.options import AUTO, DatasetOptions
from adabldm.data.own_object_masks import with_object_masks
from adabldm.data.split import Side, divide

SHOWN = 10
"""Pictures that a fault names."""

TOLD = (accounting.NOT_READ, "unread-type", "archive")
"""Kinds of findings that are told and do not stop the opening of a raw data set: what is read is
sound, and these files are none of it."""


def open_dataset(
    uri: str, options: DatasetOptions | None = None, tell: Callable[[str], None] = warnings.warn
) -> list[ObjectFolder]:
    """The objects at ``uri``, split into what may be learned from and what is for evaluation.

    ``uri`` is a prepared folder, whose own split holds and whose pictures were checked, or a raw
    data set, which is listed and split here as ``adabldm prepare`` does. The defects that may be
    learned from are looked at as there; good pictures are decoded when they are used. ``tell`` gets
    a line a kind of file that is not read, and of mask about which something was decided.

    Raises :class:`DatasetFault` if it cannot be read, has no known layout, or if its folders or
    those defects show a fault (``adabldm prepare`` lists all and can work with the rest); for a
    prepared folder also if ``options`` would split it anew.
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
        folders = _open_raw(tree, uri, options, tell)
    folders = [_as_said(folder, options) for folder in folders]
    return _with_own_masks(folders, options.object_masks) if options.object_masks else folders


def _with_own_masks(folders: list[ObjectFolder], uri: str) -> list[ObjectFolder]:
    own = with_object_masks(folders, uri)
    for name, without in own.missing.items():
        named = ", ".join(without[:SHOWN])
        raise DatasetFault(
            f"{uri}: holds no object mask of {len(without)} good pictures of {name} ({named}"
            f"{', ...' if len(without) > SHOWN else ''}); `adabldm prepare` leaves them out"
        )
    return list(own.objects)


def _open_raw(
    tree: Tree, uri: str, options: DatasetOptions, tell: Callable[[str], None]
) -> list[ObjectFolder]:
    listing = list_pictures(tree, options)
    pictures, unnamed = with_usable_names(listing.pictures)
    sides, missing = split_pictures(pictures, options)
    few = inspection.inspect(tree, [one for one in pictures if sides[one.key] == "few"])
    faults = [*listing.faults, *unnamed, *missing, *few.faults]
    refuse_faults(uri, faults)
    for line in (*accounting.lines([*faults, *few.notes]), *listing.remarks):
        tell(f"{uri}: {line}")
    rows = prepared.to_rows(tree, pictures, sides, dict(listing.surfaces))
    return prepared.assemble(rows)


def refuse_faults(uri: str, faults: Sequence[DatasetFinding]) -> None:
    """Raise :class:`DatasetFault` that lists ``faults``, if any is not only to be told."""
    if any(fault.kind not in TOLD for fault in faults):
        lines = [f"{uri}: {line}" for line in accounting.lines(faults)]
        more = f"{uri}: has {len(faults)} faults; `adabldm prepare` lists them all, and leaves out"
        raise DatasetFault("\n".join([*lines, f"{more} what cannot be used"]))


def _as_said(folder: ObjectFolder, options: DatasetOptions) -> ObjectFolder:
    surface = folder.surface if options.surface == "auto" else options.surface
    return replace(folder, surface=surface, backbone=options.backbone)


def list_pictures(tree: Tree, options: DatasetOptions) -> Listing:
    """The pictures of the raw data set at ``tree``, with their groups and captions; every file
    of it is in the listing or in one of its findings and remarks.

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
    rule = _mask_rule(options)
    said = [
        replace(picture, mask_rule=rule) if picture.mask_rule == AUTO_RULE else picture
        for picture in listing.pictures
    ]
    unnamed, remarks = accounting.unnamed(tree, listing)
    return replace(
        listing,
        pictures=twins.grouped(tree, said),
        faults=(*listing.faults, *unnamed),
        remarks=(*listing.remarks, *remarks),
    )


def _mask_rule(options: DatasetOptions) -> MaskRule:
    try:
        return MaskRule.parse(options.mask_rule)
    except ValueError as error:
        raise DatasetFault(f"--mask-rule: {options.mask_rule!r}: {error}") from error


def split_pictures(
    pictures: Sequence[Picture], options: DatasetOptions
) -> tuple[dict[Key, Side], list[DatasetFinding]]:
    """The side of each picture, and what a written split names that is not there.

    Raises :class:`DatasetFault` for a written split that cannot be kept.
    """
    given = None
    faults: list[DatasetFinding] = []
    if options.split_file:
        given, faults = split_file.load(options.split_file, pictures)
    sides = divide(pictures, shots=options.shots, seed=options.split_seed, given=given)
    return sides, faults
