"""LabelMe: a JSON file a picture, beside it or in a folder of their own, with its shapes.

``shapes`` are polygons, rectangles, circles, lines, linestrips or masks; a shape's ``label`` is
the defect type. The picture is the one that ``imagePath`` names, or of the JSON's name.
"""

from __future__ import annotations

import base64
import itertools
import posixpath
from collections import defaultdict
from typing import Any

import numpy as np

from adabldm.core import masks
from adabldm.core.images import ImageFault
from adabldm.core.json_text import load_json
from adabldm.core.mask_rule import MaskRule
from adabldm.core.picture_uri import DatasetFault
from adabldm.data.layouts import shapes
from adabldm.data.layouts.annotated import Annotated, Draw, Shape, pictures_of, refuses, told_size
from adabldm.data.layouts.paths import PathFinder
from adabldm.data.layouts.records import DatasetFinding, Listing
from adabldm.data.layouts.shapes import ShapeFault
from adabldm.data.layouts.tree import Tree, join, stem

SIGN = "JSON file with shapes and imagePath"
KEYS = ("shapes", "imagePath")
TRIED = 20
"""Files that are looked into to recognise the layout."""

POLYGONS = ("polygon", "rotation", "quadrilateral")
LINES = ("line", "linestrip")


def _jsons(tree: Tree) -> list[str]:
    return [path for path in tree.below() if path.lower().endswith(".json")]


def _content(tree: Tree, path: str) -> dict[str, Any] | str:
    """What the file holds, or why it is none of LabelMe's."""
    try:
        content = load_json(tree.read_text(path))
    except DatasetFault as fault:
        return str(fault).removeprefix(f"{path}: ")
    except ValueError as error:
        return f"is not JSON: {error}"
    if not isinstance(content, dict) or not all(key in content for key in KEYS):
        return f"has not the keys {' and '.join(KEYS)} of LabelMe"
    if not isinstance(content["shapes"], list):
        return "shapes must be a list"
    return content


def matches(tree: Tree) -> bool:
    return any(isinstance(_content(tree, path), dict) for path in _jsons(tree)[:TRIED])


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.faults: list[DatasetFinding] = []
        self.pictures = tree.pictures_below("")
        self.finder = PathFinder(self.pictures)
        self.by_stem: dict[str, list[str]] = defaultdict(list)
        for path in self.pictures:
            self.by_stem[stem(path)].append(path)
        self.annotated: dict[str, Annotated] = {}
        self.tables: list[str] = []
        self.lines = 0

    def read(self) -> None:
        for path in _jsons(self.tree):
            content = _content(self.tree, path)
            if isinstance(content, str):
                self._fault("annotation", path, content)
                continue
            self.tables.append(path)
            picture = self._picture(path, str(content["imagePath"]))
            if picture is None:
                wanted = content["imagePath"]
                self._fault("annotation-alone", path, f"its picture {wanted!r} does not exist")
            elif picture in self.annotated:
                other = self.annotated[picture].source
                self._fault("two-files", path, f"is of {picture}, as {other} is")
            else:
                self.annotated[picture] = self._annotated(picture, path, content)

    def _picture(self, path: str, written: str) -> str | None:
        """The picture that ``written`` means, or that has the name of the JSON at ``path``: the
        one whose folders are most like the JSON's."""
        folder = posixpath.dirname(path)
        image = written.replace("\\", "/")
        for candidate in (posixpath.normpath(join(folder, image)), posixpath.basename(image)):
            if found := self.finder.find(candidate, folder):
                return found
        for name in dict.fromkeys((stem(path), stem(image))):
            likeness = [
                (_alike(posixpath.dirname(one), folder), one) for one in self.by_stem.get(name, [])
            ]
            best = [one for much, one in likeness if much == max(likeness)[0]]
            if len(best) == 1:
                return best[0]
        return None

    def _annotated(self, picture: str, path: str, content: dict[str, Any]) -> Annotated:
        found: list[Shape] = []
        whole = True
        for number, item in enumerate(content["shapes"], 1):
            where = f"{path}: shape {number}"
            label = item.get("label") if isinstance(item, dict) else None
            if not isinstance(label, str) or not label.strip():
                self.faults.append(DatasetFinding("shape", where, "must have a label", (picture,)))
                whole = False
                continue
            label = label.strip()
            self.lines += item.get("shape_type") in LINES
            found.append(Shape(defect=label, name=f"{where} ({label})", draw=_draw(item)))
        return Annotated(
            path=picture,
            shapes=tuple(found),
            source=path,
            size=told_size(content.get("imageHeight"), content.get("imageWidth")),
            whole=whole,
        )

    def _fault(self, kind: str, path: str, rule: str) -> None:
        self.faults.append(DatasetFinding(kind, path, rule))


def _alike(one: str, other: str) -> tuple[bool, int]:
    """Whether two folders are the same, and how many folders they have in common at their ends."""
    ends = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    return one == other, sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], ends))


def _draw(item: dict[str, Any]) -> Draw:
    kind = item.get("shape_type") or "polygon"
    try:
        points = shapes.points_of(item.get("points"))
    except ShapeFault as fault:
        return refuses(str(fault))
    if kind in POLYGONS or (kind == "rectangle" and len(points) > 2):
        return lambda size: shapes.polygon(points, size)
    if kind == "rectangle":
        return lambda size: shapes.rectangle(points, size)
    if kind == "circle":
        return lambda size: shapes.circle(points, size)
    if kind in LINES:
        return lambda size: shapes.lines(points, size)
    if kind == "mask":
        return lambda size: shapes.stamp(_mask(item.get("mask")), points.min(axis=0), size)
    return refuses(f"is a {kind}, which marks no area")


def _mask(text: object) -> np.ndarray:
    """The picture in a shape of kind ``mask``, bool (h, w)."""
    try:
        data = base64.b64decode(text if isinstance(text, str) else "", validate=True)
        return masks.decode_mask(data, MaskRule("nonzero")).pixels > 0
    except (ValueError, ImageFault):
        raise ShapeFault("its mask must be a PNG in base64") from None


def read(tree: Tree) -> Listing:
    """Every picture at ``tree``; those without a JSON or without shapes are good."""
    reader = _Reader(tree)
    reader.read()
    remark = f"lines, drawn {shapes.LEAST_LINE} or more pixels wide: {reader.lines}"
    bare = [Annotated(path=path) for path in reader.pictures if path not in reader.annotated]
    pictures, faults = pictures_of(tree, tree.name, [*reader.annotated.values(), *bare])
    return Listing(
        layout="labelme",
        pictures=pictures,
        faults=(*reader.faults, *faults),
        tables=frozenset(reader.tables),
        remarks=(remark,) if reader.lines else (),
    )
