"""YOLO segmentation: ``data.yaml`` with ``names``, pictures in ``images``, polygons in ``labels``.

``images/train/a.jpg`` has ``labels/train/a.txt`` (``train/images`` has ``train/labels``), with one
shape a line: the number of its type, and then x y of each point as parts of width and height. A
picture without a file, or with an empty one, is good.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adabldm.core.picture_uri import DatasetFault
from adabldm.core.yaml_text import YamlFault, load_yaml
from adabldm.data.layouts import shapes
from adabldm.data.layouts.annotated import BOX, Annotated, Draw, Shape, pictures_of, refuses
from adabldm.data.layouts.paths import spelled
from adabldm.data.layouts.records import DatasetFinding, Listing
from adabldm.data.layouts.tree import Tree

SIGN = "data.yaml with names, and folders images and labels"
IMAGES, LABELS = "images", "labels"
PARTS = ("path", "train", "val", "test", "nc")
BOX_NUMBERS = 4
SLACK = 0.01
"""Points may lie this part of a side outside, from rounding."""


def settings(tree: Tree) -> tuple[str, dict[str, Any]] | None:
    """The YAML file that names the types, and what it holds."""
    for path in tree.files():
        if not path.lower().endswith((".yaml", ".yml")):
            continue
        try:
            content = load_yaml(tree.read_text(path))
        except (DatasetFault, YamlFault):
            continue
        if isinstance(content, dict) and "names" in content and any(p in content for p in PARTS):
            return path, content
    return None


def matches(tree: Tree) -> bool:
    return settings(tree) is not None and any(_label_path(p) for p in tree.pictures_below(""))


def _label_path(picture: str) -> str | None:
    """``train/labels/a.txt`` for ``train/images/a.jpg``; None outside of ``images``."""
    parts = picture.split("/")
    places = [i for i, part in enumerate(parts[:-1]) if part.lower() == IMAGES]
    if not places:
        return None
    parts[places[-1]] = LABELS
    return "/".join(parts).rpartition(".")[0] + ".txt"


def _names(path: str, value: object) -> dict[int, str]:
    pairs: Any = value.items() if isinstance(value, dict) else None
    if isinstance(value, list):
        pairs = enumerate(value)
    try:
        return {int(number): str(name).strip() for number, name in pairs}
    except (TypeError, ValueError):
        raise DatasetFault(f"{path}: names: {value!r}: must be a list of types") from None


class _Reader:
    def __init__(self, tree: Tree, names: dict[int, str]) -> None:
        self.tree, self.names = tree, names
        self.faults: list[DatasetFinding] = []
        self.used: dict[str, str] = {}
        self.files = {spelled(p): p for p in tree.below() if p.lower().endswith(".txt")}

    def read(self) -> list[Annotated]:
        found: list[Annotated] = []
        for path in self.tree.pictures_below(""):
            wanted = _label_path(path)
            if wanted is None:
                continue
            source = self.files.get(spelled(wanted))
            if source is None:
                found.append(Annotated(path=path))
            elif source in self.used:
                rule = f"has the name of {self.used[source]} but for its suffix"
                self.faults.append(DatasetFinding("two-files", path, rule))
            else:
                self.used[source] = path
                found.append(self._annotated(path, source))
        for path in self.files.values():
            if LABELS in path.lower().split("/")[:-1] and path not in self.used:
                rule = "its picture does not exist"
                self.faults.append(DatasetFinding("annotation-alone", path, rule))
        return found

    def _annotated(self, picture: str, source: str) -> Annotated:
        try:
            lines = self.tree.read_text(source).splitlines()
        except DatasetFault as fault:
            rule = str(fault).removeprefix(f"{source}: ")
            self.faults.append(DatasetFinding("annotation", source, rule, (picture,)))
            return Annotated(path=picture, source=source, whole=False)
        found: list[Shape] = []
        whole = True
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{source}: line {number}"
            shape = self._shape(where, line.split())
            if isinstance(shape, str):
                self.faults.append(DatasetFinding("shape", where, shape, (picture,)))
                whole = False
            else:
                found.append(shape)
        return Annotated(path=picture, shapes=tuple(found), source=source, whole=whole)

    def _shape(self, where: str, words: list[str]) -> Shape | str:
        """The shape that a line tells, or why nobody knows its type."""
        try:
            kind, *numbers = (float(word) for word in words)
        except ValueError:
            return "must be numbers: a type and then x y of each point"
        if kind not in self.names:
            return f"type {kind:g} is not among the names"
        defect = self.names[int(kind)]
        return Shape(defect=defect, name=f"{where} ({defect})", draw=_draw(numbers))


def _draw(numbers: list[float]) -> Draw:
    if len(numbers) == BOX_NUMBERS:
        return refuses(BOX)
    points = np.array(numbers)
    if len(points) % 2 or len(points) < 6:
        return refuses("must be a type and then x y of 3 points or more")
    if not ((points >= -SLACK) & (points <= 1 + SLACK)).all():
        return refuses("its points must be parts of width and height, from 0 to 1")

    def draw(size: tuple[int, int]) -> np.ndarray:
        return shapes.polygon(points.clip(0, 1).reshape(-1, 2) * (size[1], size[0]), size)

    return draw


def read(tree: Tree) -> Listing:
    """Every picture in a folder ``images``. Raises :class:`DatasetFault` for wrong names."""
    found = settings(tree)
    if found is None:
        raise DatasetFault(f"{tree.uri_of_root}: no {SIGN} below it")
    path, content = found
    reader = _Reader(tree, _names(path, content["names"]))
    pictures, faults = pictures_of(tree, tree.name, reader.read())
    return Listing(
        layout="yolo",
        pictures=pictures,
        faults=(*reader.faults, *faults),
        tables=frozenset([path, *reader.used]),
        unread=(("", f"is in no folder {IMAGES!r}"),),
    )
