"""Data sets as people have them, one file a layout, read into one kind of record.

Offers ``detect`` and ``read``, which give a ``Listing`` of ``Picture`` with what was found wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adabldm.core.picture_uri import DatasetFault
from adabldm.data.layouts import (
    coco,
    dataset_yaml,
    ksdd2,
    labelme,
    mvtec_ad2,
    mvtec_btad,
    visa,
    yolo,
)
from adabldm.data.layouts.records import DatasetFinding, Key, Listing, Part, Picture
from adabldm.data.layouts.tree import Tree
from adabldm.data.options import AUTO

__all__ = [
    "AUTO",
    "LAYOUTS",
    "DatasetFinding",
    "Key",
    "Listing",
    "Part",
    "Picture",
    "Tree",
    "detect",
    "read",
]


@dataclass(frozen=True)
class Layout:
    """How a layout is recognised, read, and told to a user."""

    matches: Callable[[Tree], bool]
    read: Callable[[Tree], Listing]
    sign: str


LAYOUTS: dict[str, Layout] = {
    "plain": Layout(dataset_yaml.matches, dataset_yaml.read, dataset_yaml.SETTINGS),
    "visa": Layout(visa.matches, visa.read, f"{visa.SPLIT} or {visa.TYPES}"),
    "mvtec_ad2": Layout(lambda tree: bool(mvtec_ad2.objects(tree)), mvtec_ad2.read, mvtec_ad2.SIGN),
    "mvtec_loco": Layout(
        mvtec_btad.is_loco,
        lambda tree: mvtec_btad.read(tree, "mvtec_loco", "good"),
        f"train/good with test/{mvtec_btad.LOCO_TYPES[0]}",
    ),
    "mvtec": Layout(
        lambda tree: bool(mvtec_btad.objects(tree, "good")),
        lambda tree: mvtec_btad.read(tree, "mvtec", "good"),
        "train/good",
    ),
    "btad": Layout(
        lambda tree: bool(mvtec_btad.objects(tree, "ok")),
        lambda tree: mvtec_btad.read(tree, "btad", "ok"),
        "train/ok",
    ),
    "ksdd2": Layout(ksdd2.matches, ksdd2.read, "train/<number>_GT.png"),
    "yolo": Layout(yolo.matches, yolo.read, yolo.SIGN),
    "coco": Layout(coco.matches, coco.read, coco.SIGN),
    "labelme": Layout(labelme.matches, labelme.read, labelme.SIGN),
}
"""In the order in which they are tried."""


OUTPUT_SIGN = "run.json"
"""A file at the root of what `adabldm generate` wrote."""

SHOWN_FOLDERS = 5


def detect(tree: Tree) -> str:
    """The name of the first layout that ``tree`` has. Raises :class:`DatasetFault`."""
    for name, layout in LAYOUTS.items():
        if layout.matches(tree):
            return name
    _refuse_output(tree)
    known = ", ".join(f"no {layout.sign} ({name})" for name, layout in LAYOUTS.items())
    raise DatasetFault(
        f"{tree.uri_of_root}: no layout is recognised: it holds {_seen(tree)}, but {known}; "
        f"a folder of your own is described by a small {dataset_yaml.SETTINGS} in it: where the "
        "good pictures are, and of each defect type its pictures and masks (docs/data.md)"
    )


def _refuse_output(tree: Tree) -> None:
    if OUTPUT_SIGN in tree.sizes:
        raise DatasetFault(
            f"{tree.uri_of_root}: is an output of `adabldm generate`: has no good pictures "
            "(<object>/train/good), which a data set must have; put the object's good pictures "
            "there, or name the data set that it was made from"
        )


def _seen(tree: Tree) -> str:
    """What is in a folder, for someone who expected a data set there."""
    folders = tree.folders()
    shown = ", ".join(folders[:SHOWN_FOLDERS]) + (", ..." if len(folders) > SHOWN_FOLDERS else "")
    pictures = len(tree.pictures_below(""))
    return (
        f"{len(tree.sizes)} files, {pictures} of them pictures, "
        f"in {f'folders {shown}' if folders else 'no folder'}"
    )


def read(tree: Tree, layout: str = AUTO) -> Listing:
    """List the data set at ``tree``, whose layout is named or detected.

    Raises :class:`DatasetFault` if it has not that layout, or a table in it cannot be read.
    """
    if layout == AUTO:
        layout = detect(tree)
    if layout not in LAYOUTS:
        raise DatasetFault(f"layout {layout!r} is not one of {', '.join([AUTO, *LAYOUTS])}")
    if not LAYOUTS[layout].matches(tree):
        _refuse_output(tree)
        raise DatasetFault(
            f"{tree.uri_of_root}: no {LAYOUTS[layout].sign} below it ({layout} layout): it holds "
            f"{_seen(tree)}"
        )
    return LAYOUTS[layout].read(tree)
