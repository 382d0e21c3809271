"""COCO instances: JSON files with ``images``, ``annotations`` and ``categories``.

As COCO, CVAT (``annotations/*.json``, pictures in ``images``) and Roboflow
(``train/_annotations.coco.json`` beside the pictures) write them. ``segmentation`` is polygons or
run lengths; a category is a defect type; a picture that is listed without annotations is good.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from adabldm.core.json_text import load_json
from adabldm.core.picture_uri import DatasetFault
from adabldm.data.layouts import shapes
from adabldm.data.layouts.annotated import (
    BOX,
    Annotated,
    Draw,
    Shape,
    pictures_of,
    refuses,
    told_size,
)
from adabldm.data.layouts.paths import spelled, tails
from adabldm.data.layouts.records import DatasetFinding, Listing
from adabldm.data.layouts.shapes import ShapeFault
from adabldm.data.layouts.tree import Tree

SIGN = "JSON file with images, annotations and categories"
KEYS = ("images", "annotations", "categories")
ROBOFLOW = "_annotations.coco.json"
FOLDERS = ("annotations", "labels")
"""Folders in which annotation files are looked for, beside the root and those of Roboflow."""


def _candidates(tree: Tree) -> Iterator[str]:
    for path in tree.below():
        folder, name = posixpath.split(path)
        usual = not folder or folder.lower() in FOLDERS or name == ROBOFLOW
        if path.lower().endswith(".json") and usual and "/" not in folder:
            yield path


def _content(tree: Tree, path: str) -> dict[str, list[Any]] | None:
    """The three lists of a COCO file, None for another JSON."""
    try:
        content = load_json(tree.read_text(path))
    except (DatasetFault, ValueError):
        return None
    if isinstance(content, dict) and all(isinstance(content.get(key), list) for key in KEYS):
        return content
    return None


def matches(tree: Tree) -> bool:
    """A name of Roboflow's is enough, so that a broken file is told; others are looked into."""
    return any(
        posixpath.basename(path) == ROBOFLOW or _content(tree, path) is not None
        for path in _candidates(tree)
    )


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.faults: list[DatasetFinding] = []
        self.tables: list[str] = []
        self.annotated: dict[str, Annotated] = {}
        self.by_tail: dict[str, list[str]] = defaultdict(list)
        for path in tree.pictures_below(""):
            for tail in tails(spelled(path)):
                self.by_tail[tail].append(path)

    def read(self) -> None:
        for path in _candidates(self.tree):
            content = _content(self.tree, path)
            if content is not None:
                self.tables.append(path)
                self._read_file(path, content)
            elif posixpath.basename(path) == ROBOFLOW:
                rule = f"is no JSON with {', '.join(KEYS)}"
                self._fault("annotation", path, rule)

    def _read_file(self, path: str, content: dict[str, list[Any]]) -> None:
        types = {
            one["id"]: str(one["name"]).strip()
            for one in content["categories"]
            if isinstance(one, dict) and {"id", "name"} <= one.keys()
        }
        of_image: dict[Any, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for number, item in enumerate(content["annotations"]):
            if isinstance(item, dict):
                of_image[item.get("image_id")].append((number, item))
            else:
                self._fault("shape", f"{path}: annotations[{number}]", "must be a mapping")
        for number, image in enumerate(content["images"]):
            if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
                self._fault("annotation", f"{path}: images[{number}]", "must have a file_name")
                continue
            self._read_image(path, image, of_image.pop(image.get("id"), []), types)
        if of_image:
            count = sum(map(len, of_image.values()))
            first = next(iter(of_image))
            rule = f"{count} annotations are of images that it does not list, as {first!r}"
            self._fault("annotation-alone", path, rule)

    def _read_image(
        self,
        path: str,
        image: dict[str, Any],
        items: list[tuple[int, dict[str, Any]]],
        types: dict[Any, str],
    ) -> None:
        name = image["file_name"]
        picture = self._picture(path, name)
        if isinstance(picture, DatasetFinding):
            self.faults.append(picture)
            return
        found: list[Shape] = []
        whole = True
        for number, item in items:
            where = f"{path}: annotations[{number}]"
            defect = types.get(item.get("category_id"))
            if defect is None:
                rule = f"category_id {item.get('category_id')!r} is not among the categories"
                self.faults.append(DatasetFinding("shape", where, rule, (picture,)))
                whole = False
                continue
            found.append(Shape(defect=defect, name=f"{where} ({defect})", draw=_draw(item)))
        before = self.annotated.get(picture)
        if before is not None and before.source == path:
            self._fault("listed-twice", picture, f"is listed twice in {path}")
        # Annotated in several files: all shapes count.
        self.annotated[picture] = Annotated(
            path=picture,
            shapes=(*(before.shapes if before else ()), *found),
            source=path,
            size=told_size(image.get("height"), image.get("width")),
            whole=whole and (before is None or before.whole),
        )

    def _picture(self, path: str, name: str) -> str | DatasetFinding:
        """The picture whose path ends with ``name``: of several the one beside the annotation
        file, or in a folder that is in its name (``train2017`` of ``instances_train2017.json``)."""
        wanted = spelled(name)
        fits = next((self.by_tail[t] for t in tails(wanted) if t in self.by_tail), [])
        folder, file = posixpath.split(path)
        beside = [one for one in fits if folder and one.startswith(f"{folder}/")]
        like = [one for one in fits if any(part in file for part in one.split("/")[:-1][-1:])]
        for some in (fits, beside, like):
            if len(some) == 1:
                return some[0]
        if fits:
            rule = f"fits {len(fits)} pictures, as {fits[0]} and {fits[1]} (in {path})"
            return DatasetFinding("listed-unclear", name, rule)
        return DatasetFinding("file-missing", name, f"is listed in {path} but does not exist")

    def _fault(self, kind: str, path: str, rule: str) -> None:
        self.faults.append(DatasetFinding(kind, path, rule))


def _draw(item: dict[str, Any]) -> Draw:
    segmentation = item.get("segmentation")
    if not segmentation:
        return refuses(BOX if item.get("bbox") else "has no segmentation")
    if isinstance(segmentation, dict):
        counts, size = segmentation.get("counts"), segmentation.get("size")
        return lambda shape: shapes.run_lengths(counts, size, shape)
    if not isinstance(segmentation, list):
        return refuses("its segmentation must be polygons or run lengths")
    rings = segmentation if isinstance(segmentation[0], list) else [segmentation]
    try:
        polygons = [shapes.points_of(ring) for ring in rings]
    except ShapeFault as fault:
        return refuses(str(fault))

    def draw(shape: tuple[int, int]) -> np.ndarray:
        return np.any([shapes.polygon(points, shape) for points in polygons], axis=0)

    return draw


def read(tree: Tree) -> Listing:
    """Every picture that an annotation file at ``tree`` lists."""
    reader = _Reader(tree)
    reader.read()
    pictures, faults = pictures_of(tree, tree.name, list(reader.annotated.values()))
    return Listing(
        layout="coco",
        pictures=pictures,
        faults=(*reader.faults, *faults),
        tables=frozenset(reader.tables),
        unread=(("", "no annotation file lists it"),),
    )
