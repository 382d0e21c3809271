"""The options by which a data set is opened: the same for every verb that opens one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adabldm.core.faults import InputFault
from adabldm.core.names import defect_fault, object_fault
from adabldm.data.options import DatasetOptions, SurfaceChoice
from jobs.verbs import places

if TYPE_CHECKING:
    from adabldm.core.objects import ObjectFolder

Dataset = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        callback=places.uri,
        help="A folder from `adabldm prepare`, or a data set as it is (any URI).",
    ),
]
WHICH = "Which real defects these are."
OPTIONS: Mapping[str, Any] = {
    "layout": Annotated[
        str, typer.Option(help="mvtec, btad, visa, coco, yolo, labelme, ...; auto detects it.")
    ],
    "shots": Annotated[int, typer.Option(min=1, help="Real defect pictures a type to learn from.")],
    "split_seed": Annotated[int, typer.Option("--split-seed", min=0, help=WHICH)],
    "split_file": Annotated[
        str | None,
        typer.Option(
            "--split",
            callback=places.uri,
            help="A split to keep: a split.json, or a list of the few, one path a line.",
        ),
    ],
    "groups": Annotated[
        str | None,
        typer.Option(
            callback=places.uri,
            help="CSV image,group: pictures of one group are on one side of the split.",
        ),
    ],
    "captions": Annotated[
        str | None,
        typer.Option(
            callback=places.uri, help="CSV image,caption: what a defect picture shows, in words."
        ),
    ],
    "mask_rule": Annotated[
        str,
        typer.Option(
            help="Which pixels of a mask are the defect: auto, nonzero, bright, dark, alpha, "
            "transparent, or value:N."
        ),
    ],
    "surface": Annotated[
        SurfaceChoice,
        typer.Option(help="Whether good pictures show an object on a background, or a texture."),
    ],
    "backbone": Annotated[
        str | None,
        typer.Option(
            callback=places.backbone,
            help="transformers backbone to find objects with; default: built in.",
        ),
    ],
    "object_masks": Annotated[
        str | None,
        typer.Option(
            callback=places.uri,
            help="Folder of object masks of your own, named as the good pictures (any URI).",
        ),
    ],
}
"""How the command line asks for each field of :class:`~adabldm.data.options.DatasetOptions`."""

Verb = Callable[..., None]


def opens_data_sets(**spelled: Any) -> Callable[[Verb], Verb]:
    """Gives a verb :data:`OPTIONS` on the command line, which it gets as its ``options``.

    ``spelled`` are options that this verb declares in its own way.
    """

    def decorate(verb: Verb) -> Verb:
        own = inspect.signature(verb, eval_str=True)
        kept = [one for name, one in own.parameters.items() if name != "options"]
        shared = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation={**OPTIONS, **spelled}[field.name],
            )
            for field in fields(DatasetOptions)
        ]
        spread = own.replace(parameters=[*kept, *shared])

        @functools.wraps(verb)
        def main(*given: Any, **named: Any) -> None:
            arguments = spread.bind(*given, **named).arguments
            said = {name: arguments.pop(name) for name in OPTIONS if name in arguments}
            verb(**arguments, options=DatasetOptions(**said))

        del main.__wrapped__
        main.__signature__ = spread  # type: ignore[attr-defined]
        main.__annotations__ = {one.name: one.annotation for one in spread.parameters.values()}
        return main

    return decorate


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

    refuse_missing_places(uri, options)
    try:
        objects = open_dataset(uri, with_checked_backbone(options), _told)
    except InputFault:
        raise
    except (ValueError, ImportError) as fault:
        raise InputFault(*(f"DATASET: {line}" for line in str(fault).splitlines())) from fault
    known = sorted({name for folder in objects for name in folder.defect_types})
    for name in defects:
        if name not in known:
            raise InputFault.of("--defect", name, f"must be one of {', '.join(known) or 'none'}")
    if defects:
        objects = [
            replace(folder, defects=tuple(d for d in folder.defects if d.defect in defects))
            for folder in objects
        ]
    usable = [folder for folder in objects if folder.defects]
    if not usable:
        raise InputFault.of("DATASET", uri, "must hold defects with their masks")
    for folder in usable:
        _check(folder)
    return usable


def refuse_missing_places(uri: str, options: DatasetOptions) -> None:
    """Raise :class:`InputFault` unless the data set and the files about it are there."""
    places.refuse_missing("DATASET", uri)
    for field, file in (
        ("--split", options.split_file),
        ("--groups", options.groups),
        ("--captions", options.captions),
    ):
        places.refuse_missing(field, file, folder=False)
    places.refuse_missing("--object-masks", options.object_masks)


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


def with_surfaces(objects: Sequence[ObjectFolder]) -> list[ObjectFolder]:
    """``objects`` with their surfaces, looked at where nobody has said them.

    Raises :class:`InputFault` for all of which it is doubtful what the object is.
    """
    from adabldm.core.picture_uri import DatasetFault
    from adabldm.foreground.object_masks import ObjectMasks

    seen: list[ObjectFolder] = []
    faults: list[str] = []
    for folder in objects:
        try:
            seen.append(replace(folder, surface=ObjectMasks(folder).surface))
        except DatasetFault as fault:
            faults.append(f"DATASET: {fault}")
    if faults:
        raise InputFault(*faults)
    return seen


NAMED = 10
"""Pictures that a line names."""


def tell_left_out(uris: Sequence[str]) -> None:
    """A line about good pictures without an object, if there are some."""
    if uris:
        named = ", ".join(uris[:NAMED]) + (", ..." if len(uris) > NAMED else "")
        typer.echo(f"{len(uris)} good pictures left out, no object is found in: {named}", err=True)


def _check(folder: ObjectFolder) -> None:
    if not folder.good:
        raise InputFault.of("DATASET", folder.name, "has no good picture to plan on: add some")
    if rule := object_fault(folder.name):
        raise InputFault.of("DATASET", folder.name, rule)
    for name in folder.defect_types:
        if rule := defect_fault(name):
            raise InputFault.of("DATASET", f"{folder.name}: {name}", rule)


def _told(line: str) -> None:
    typer.echo(f"DATASET: {line}", err=True)
