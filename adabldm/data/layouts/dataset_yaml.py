"""A folder of one's own, described by a small ``dataset.yaml`` in it.

    name: bracket              # default: the folder's name
    surface: object            # or texture; default: found out
    good: ok/*.png             # a pattern or a list of them; ** is any folders
    test_good: ok_for_test/*   # optional; never learned from
    defects:
      scratch:
        images: ng/scratch/*.png
        masks: ng/scratch_masks/{stem}.png     # {stem} and {folder} are the image's
    table: pictures.csv        # optional; columns image, defect, mask, group, caption, part

Several objects are a list of the same under ``objects``. In the table only ``image`` is needed:
a row about a picture that a pattern has found adds its group and caption, any other row adds the
picture; without a ``defect`` it is good, ``part`` is ``train`` (default) or ``test``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, get_args

from fsspec.utils import glob_translate

from adabldm.core.objects import Surface
from adabldm.core.picture_uri import SUFFIXES, DatasetFault
from adabldm.core.yaml_text import YamlFault, load_yaml
from adabldm.data.layouts.records import DatasetFinding, Listing, Part, Picture
from adabldm.data.layouts.tree import Tree

SETTINGS = "dataset.yaml"
FIELDS = ("name", "surface", "good", "test_good", "defects", "table")
DEFECT_FIELDS = ("images", "masks")
PLACEHOLDERS = ("stem", "folder")


def matches(tree: Tree) -> bool:
    return SETTINGS in tree.sizes


def _refuse(field: str, value: object, rule: str) -> DatasetFault:
    return DatasetFault(f"{SETTINGS}: {field}: {value!r}: {rule}")


def _mapping(field: str, value: object, known: tuple[str, ...] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _refuse(field, value, "must be a mapping of names")
    for key in value:
        if known and key not in known:
            raise _refuse(field, key, f"is not one of {', '.join(known)}")
    return value


def _patterns(field: str, value: object) -> list[str]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list) or not all(isinstance(p, str) and p for p in patterns):
        raise _refuse(field, value, "must be a pattern or a list of patterns")
    for pattern in patterns:
        if pattern.startswith("/") or ".." in pattern.split("/") or "://" in pattern:
            raise _refuse(field, pattern, "must be inside the data set's folder")
    return patterns


class _ObjectReader:
    """Reads one object; ``field`` is where it stands in the settings."""

    def __init__(self, tree: Tree, settings: Mapping[str, Any], field: str) -> None:
        self.tree, self.settings, self.field = tree, settings, field
        self.name: str = settings.get("name", tree.name)
        if not isinstance(self.name, str):
            raise _refuse(f"{field}name", self.name, "must be text (put it in quotes)")
        self.surface: Surface | None = settings.get("surface")
        if self.surface not in (None, *get_args(Surface)):
            raise _refuse(f"{field}surface", self.surface, "must be object or texture")
        self.faults: list[DatasetFinding] = []
        self.found: dict[str, Picture] = {}

    def read(self) -> None:
        parts: dict[str, Part] = {"good": "train", "test_good": "test"}
        for key, part in parts.items():
            for path in self._matching(f"{self.field}{key}", self.settings.get(key, [])):
                self._add(Picture(object=self.name, path=path, part=part))
        for defect, value in _mapping(
            f"{self.field}defects", self.settings.get("defects", {})
        ).items():
            self._read_type(defect, f"{self.field}defects.{defect}", value)
        if (table := self.settings.get("table")) is not None:
            if not isinstance(table, str) or table not in self.tree.sizes:
                raise _refuse(f"{self.field}table", table, "must be the path of a CSV below here")
            self._read_table(table)

    def _read_type(self, defect: str, field: str, value: object) -> None:
        spec = _mapping(field, value, DEFECT_FIELDS)
        for key in DEFECT_FIELDS:
            if key not in spec:
                raise _refuse(field, value, f"must have {key!r}")
        template = spec["masks"]
        if not isinstance(template, str) or "{stem}" not in template:
            raise _refuse(f"{field}.masks", template, "must be a path with {stem} in it")
        for name in re.findall(r"{(.*?)}", template):
            if name not in PLACEHOLDERS:
                raise _refuse(
                    f"{field}.masks", template, f"knows only {{{'}, {'.join(PLACEHOLDERS)}}}"
                )
        images = self._matching(f"{field}.images", spec["images"])
        masks = {path: _mask_path(template, path) for path in images}
        for path in images:
            if path in masks.values():  # a wide pattern finds the masks, too
                continue
            if masks[path] not in self.tree.sizes:
                rule = f"its mask {masks[path]} does not exist"
                self.faults.append(DatasetFinding("mask-missing", path, rule))
                continue
            self._add(
                Picture(object=self.name, path=path, part="either", defect=defect, mask=masks[path])
            )

    def _matching(self, field: str, value: object) -> list[str]:
        """Pictures that any of the patterns finds, sorted. A pattern that finds none is a fault."""
        found: set[str] = set()
        for pattern in _patterns(field, value):
            fits = re.compile(glob_translate(pattern))
            paths = {
                path
                for path in self.tree.sizes
                if path.lower().endswith(SUFFIXES) and fits.match(path)
            }
            if not paths:
                rule = f"finds no picture ({field} in {SETTINGS})"
                self.faults.append(DatasetFinding("empty-folder", pattern, rule))
            found |= paths
        return sorted(found)

    def _add(self, picture: Picture) -> None:
        known = self.found.setdefault(picture.path, picture)
        if known is not picture:
            rule = f"is listed twice, as {known.defect or 'good'} and as {picture.defect or 'good'}"
            self.faults.append(DatasetFinding("listed-twice", picture.path, rule))

    def _read_table(self, table: str) -> None:
        for row in self.tree.rows(table, "image"):
            path = row["image"]
            group, caption = (row.get(key) or None for key in ("group", "caption"))
            if path in self.found:
                self.found[path] = replace(self.found[path], group=group, caption=caption)
                continue
            defect, mask, part = (row.get(key) or None for key in ("defect", "mask", "part"))
            if missing := [p for p in (path, mask) if p and p not in self.tree.sizes]:
                rule = f"is named in {table} but does not exist"
                self.faults.append(DatasetFinding("file-missing", missing[0], rule))
            elif defect and not mask:
                self.faults.append(
                    DatasetFinding("mask-missing", path, f"{table} names no mask for it")
                )
            elif part not in (None, "train", "test"):
                rule = f"part {part!r} in {table} must be train or test"
                self.faults.append(DatasetFinding("listed-wrong", path, rule))
            else:
                usual: Part = "either" if defect else "train"
                self.found[path] = Picture(
                    object=self.name,
                    path=path,
                    part="test" if part == "test" else usual,
                    defect=defect,
                    mask=mask if defect else None,
                    group=group,
                    caption=caption,
                )


def _mask_path(template: str, image: str) -> str:
    path = PurePosixPath(image)
    folder = "" if path.parent.name == "" else str(path.parent)
    return template.replace("{stem}", path.stem).replace("{folder}", folder).lstrip("/")


def read(tree: Tree) -> Listing:
    """Every picture that ``dataset.yaml`` names. Raises :class:`DatasetFault` for a wrong field."""
    try:
        settings = load_yaml(tree.read_text(SETTINGS))
    except YamlFault as fault:
        raise DatasetFault(f"{SETTINGS}: {fault}") from fault
    top = _mapping("the file", settings)
    objects = top.get("objects", [top])
    if not isinstance(objects, list) or ("objects" in top and len(top) > 1):
        raise _refuse("objects", top, "must be a list, and alone")
    readers = []
    for index, item in enumerate(objects):
        field = f"objects[{index}]." if "objects" in top else ""
        reader = _ObjectReader(tree, _mapping(field or "the file", item, FIELDS), field)
        reader.read()
        readers.append(reader)
    names = [reader.name for reader in readers]
    if len(set(names)) < len(names):
        raise _refuse("objects", names, "must have names of their own")
    return Listing(
        layout="plain",
        pictures=tuple(picture for reader in readers for picture in reader.found.values()),
        faults=tuple(fault for reader in readers for fault in reader.faults),
        surfaces=tuple((reader.name, reader.surface) for reader in readers if reader.surface),
    )
