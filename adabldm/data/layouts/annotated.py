"""Pictures whose defects are shapes in annotation files: the common part of several layouts.

All shapes of a type on a picture are one mask. A picture without shapes is good. A shape that
cannot be drawn spoils its type's mask, so that the picture is not used for that type.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from adabldm.core import images
from adabldm.core.picture_uri import DatasetFault, read_bytes
from adabldm.data.layouts.drawn_masks import DRAWN, to_uri
from adabldm.data.layouts.records import DatasetFinding, Part, Picture
from adabldm.data.layouts.shapes import ShapeFault
from adabldm.data.layouts.tree import Tree

READERS = 8
BOX = "is a box, and boxes are no masks"

TEST = "test"
TEST_FOLDERS = ("test", "testing")

Draw = Callable[[tuple[int, int]], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape: its type, what messages call it, and how it is drawn at (height, width); drawing
    raises :class:`ShapeFault`."""

    defect: str
    name: str
    draw: Draw


@dataclass(frozen=True, kw_only=True)
class Annotated:
    """A picture with its shapes; ``source`` is the annotation file (None: it has none), which
    says the ``size`` (height, width), if any. ``whole`` is False if some shape could not be read
    at all, so that nobody knows its type."""

    path: str
    shapes: tuple[Shape, ...] = ()
    source: str | None = None
    size: tuple[int, int] | None = None
    whole: bool = True


def told_size(height: object, width: object) -> tuple[int, int] | None:
    """The size that an annotation tells, if it tells one."""
    if isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0:
        return height, width
    return None


def refuses(rule: str) -> Draw:
    """A shape that cannot be drawn because of ``rule``."""

    def draw(_: tuple[int, int]) -> np.ndarray:
        raise ShapeFault(rule)

    return draw


def pictures_of(
    tree: Tree, name: str, annotated: Sequence[Annotated]
) -> tuple[tuple[Picture, ...], list[DatasetFinding]]:
    """The pictures of the object ``name``, and what of their shapes cannot be used.

    Pictures in a folder ``test`` are never learned from, but for types that only such show.
    """
    pictures: list[Picture] = []
    faults: list[DatasetFinding] = []
    with ThreadPoolExecutor(READERS) as pool:
        for found, wrong in pool.map(lambda one: _listed(tree, name, one), annotated):
            pictures += found
            faults += wrong
    learned = {p.defect for p in pictures if p.part != TEST}
    return tuple(
        replace(p, part="either") if p.defect and p.defect not in learned else p for p in pictures
    ), faults


def _listed(tree: Tree, name: str, one: Annotated) -> tuple[list[Picture], list[DatasetFinding]]:
    sources = (one.source,) if one.source else ()
    in_test = any(part.lower() in TEST_FOLDERS for part in one.path.split("/")[:-1])
    if not one.whole:
        return [], []
    if not one.shapes:
        part: Part = "test" if in_test else "train"
        return [Picture(object=name, path=one.path, part=part, sources=sources)], []
    size = _size(tree, one)
    if isinstance(size, DatasetFinding):
        return [], [size]
    by_type: dict[str, list[Shape]] = defaultdict(list)
    for shape in one.shapes:
        by_type[shape.defect].append(shape)
    pictures: list[Picture] = []
    faults: list[DatasetFinding] = []
    for defect, shapes in by_type.items():
        mask, wrong = _drawn(shapes, size)
        faults += [replace(fault, files=(one.path,)) for fault in wrong]
        if mask is not None:
            called = f"{one.source} ({defect} in {posixpath.basename(one.path)})"
            pictures.append(
                Picture(
                    object=name,
                    path=one.path,
                    part="test" if in_test else "either",
                    defect=defect,
                    mask=to_uri(mask, called),
                    mask_rule=DRAWN,
                    sources=sources,
                )
            )
    return pictures, faults


def _size(tree: Tree, one: Annotated) -> tuple[int, int] | DatasetFinding:
    """Height and width of the upright picture, which its annotation must agree with."""
    uri = tree.uri(one.path)
    try:
        size = images.read_size(read_bytes(uri))
    except images.ImageFault as fault:
        return DatasetFinding(fault.kind, one.path, str(fault))
    except DatasetFault as fault:
        return DatasetFinding("unreadable", one.path, str(fault).removeprefix(f"{uri}: "))
    if one.size is not None and one.size != size:
        rule = (
            f"is {size[1]} x {size[0]} upright, but was annotated at {one.size[1]} x {one.size[0]} "
            f"(in {one.source})"
        )
        return DatasetFinding("annotation-size", one.path, rule)
    return size


def _drawn(
    shapes: Iterable[Shape], size: tuple[int, int]
) -> tuple[np.ndarray | None, list[DatasetFinding]]:
    """The union of ``shapes``, or why there is none."""
    mask = np.zeros(size, bool)
    faults: list[DatasetFinding] = []
    for shape in shapes:
        try:
            drawn = shape.draw(size)
            if not drawn.any():
                raise ShapeFault("marks no pixel of its picture")
            mask |= drawn
        except ShapeFault as fault:
            faults.append(DatasetFinding("shape", shape.name, str(fault)))
    return (None if faults else mask), faults
