"""The options by which a data set is opened: the same for every verb that opens one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adabldm.core.faults import InputFault
from adabldm.core.names import name_fault, object_fault
from adabldm.data.options import DatasetOptions, SurfaceChoice

if TYPE_CHECKING:
    from adabldm.core.objects import ObjectFolder

Dataset = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="A folder from `adabldm prepare`, or a data set as it is (any URI).",
    ),
]
Layout = Annotated[str, typer.Option(help="mvtec, btad, ksdd2, visa, plain, or auto to detect it.")]
Shots = Annotated[int, typer.Option(min=1, help="Real defect pictures a type to learn from.")]
WHICH = "Which real defects these are."
SplitSeed = Annotated[int, typer.Option("--split-seed", min=0, help=WHICH)]
Split = Annotated[
    str | None,
    typer.Option(help="A split to keep: a split.json, or a list of the few, one path a line."),
]
Groups = Annotated[
    str | None,
    typer.Option(help="CSV image,group: pictures of one group are on one side of the split."),
]
Captions = Annotated[
    str | None, typer.Option(help="CSV image,caption: what a defect picture shows, in words.")
]
Surface = Annotated[
    SurfaceChoice,
    typer.Option(help="Whether good pictures show an object on a background, or a texture."),
]
Backbone = Annotated[
    str | None,
    typer.Option(help="transformers backbone to find objects with; default: built in."),
]

TRIED_SIDE = 64
"""Side in pixels of the picture that a backbone is tried on."""


def open_objects(
    uri: str, options: DatasetOptions, defects: Sequence[str] = ()
) -> list[ObjectFolder]:
    """The objects at ``uri`` that have defects, with only the ``defects`` named (all when empty).

    Raises :class:`InputFault` if there is nothing to learn from, a defect is not there, or the
    backbone is none.
    """
    from adabldm.data.opening import open_dataset

    try:
        objects = open_dataset(uri, with_checked_backbone(options))
    except (ValueError, ImportError) as fault:
        raise InputFault(f"DATASET: {fault}") from fault
    known = sorted({name for folder in objects for name in folder.defect_types})
    for name in defects:
        if name not in known:
            raise InputFault.of("--defect", name, f"is one of {', '.join(known) or 'none'}")
    if defects:
        objects = [
            replace(folder, defects=tuple(d for d in folder.defects if d.defect in defects))
            for folder in objects
        ]
    usable = [folder for folder in objects if folder.defects]
    if not usable:
        raise InputFault.of("DATASET", uri, "holds defects with their masks")
    for folder in usable:
        _check(folder)
    return usable


def with_checked_backbone(options: DatasetOptions) -> DatasetOptions:
    """``options`` whose backbone was tried, and is absolute if it is a folder here.

    Raises :class:`InputFault` if it finds no features.
    """
    if options.backbone is None:
        return options
    # Here, because the networks take seconds to load.
    import numpy as np

    from adabldm.foreground.features import FeatureFault, open_features

    try:
        open_features(options.backbone)(np.zeros((TRIED_SIDE, TRIED_SIDE, 3), np.uint8))
    except FeatureFault as fault:
        raise InputFault.of("--backbone", options.backbone, str(fault)) from fault
    folder = Path(options.backbone)
    return replace(options, backbone=str(folder.resolve())) if folder.is_dir() else options


def _check(folder: ObjectFolder) -> None:
    if not folder.good:
        raise InputFault.of("DATASET", f"{folder.name}/train/good", "holds a picture")
    if rule := object_fault(folder.name):
        raise InputFault.of("DATASET", folder.name, rule)
    for name in folder.defect_types:
        if rule := name_fault(name):
            raise InputFault.of("DATASET", f"{folder.name}/test/{name}", rule)
