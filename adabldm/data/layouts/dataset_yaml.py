"""A folder of one's own, described by a small ``dataset.yaml`` in it.

    name: bracket              # default: the folder's name
    surface: object            # or texture; default: found out
    good: ok/*.png             # a pattern or a list of them; ** is any folders
    test_good: ok_for_test/*   # optional; never learned from
    defects:
      scratch:
        images: ng/scratch/*.png
        masks: ng/scratch_masks/{stem}.png     # {stem} and {folder} are the image's
        value: 1               # optional; the number in the masks, or a list, that is this type
    object_masks: parts/{stem}.png  # optional; where the object is, default: it is found
    table: pictures.csv        # optional; columns image, defect, mask, group, caption, part

Several objects are a list of the same under ``objects``. In the table only ``image`` is needed:
a row about a picture that a pattern has found adds its group and caption, any other row adds the
picture; without a ``defect`` it is good, ``part`` is ``train`` (default) or ``test``. A picture
may have several types, each with a mask of its own, or with a ``value`` of its own in one mask;
it is of those types whose value its mask has.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, get_args

from fsspec.utils import glob_translate

from adabldm.core.images import ImageFault
from adabldm.core.mask_rule import AUTO, MaskRule
from adabldm.core.masks import MaskFault, decode_mask
from adabldm.core.objects import Surface
from adabldm.core.picture_uri import SUFFIXES, DatasetFault, read_bytes
from adabldm.core.yaml_text import YamlFault, load_yaml
from adabldm.data.layouts.paths import PathFinder, spelled
from adabldm.data.layouts.records import DatasetFinding, Key, Listing, Part, Picture
from adabldm.data.layouts.tree import Tree

SETTINGS = "dataset.yaml"
FIELDS = ("name", "surface", "good", "test_good", "defects", "object_masks", "table")
NEEDED_FIELDS = ("images", "masks")
DEFECT_FIELDS = (*NEEDED_FIELDS, "value")
PLACEHOLDERS = ("stem", "folder")


def matches(tree: Tree) -> bool:
    """Whether there are settings; those with ``names`` are YOLO's."""
    if SETTINGS not in tree.sizes:
        return False
    try:
        settings = load_yaml(tree.read_text(SETTINGS))
    except (DatasetFault, YamlFault):  # told when they are read
        return True
    return not (isinstance(settings, dict) and "names" in settings)


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
        self.found: dict[Key, Picture] = {}
        self._types: dict[str, list[str | None]] = defaultdict(list)
        self._without: dict[str, str] = {}
        self.finder = PathFinder(tree.sizes)
        self.tables: list[str] = []

    def read(self) -> None:
        parts: dict[str, Part] = {"good": "train", "test_good": "test"}
        for key, part in parts.items():
            for path in self._matching(f"{self.field}{key}", self.settings.get(key, [])):
                self._add(Picture(object=self.name, path=path, part=part))
        for defect, value in _mapping(
            f"{self.field}defects", self.settings.get("defects", {})
        ).items():
            self._read_type(defect, f"{self.field}defects.{defect}", value)
        for path, mask in self._without.items():
            if path not in self._types:
                rule = f"has no value of a type in {SETTINGS}"
                self.faults.append(DatasetFinding("mask-empty", mask, rule, (path,)))
        if (table := self.settings.get("table")) is not None:
            found = self.finder.find(table) if isinstance(table, str) else None
            if found is None:
                raise _refuse(f"{self.field}table", table, "must be the path of a CSV below here")
            self.tables.append(found)
            self._read_table(found)
        if (template := self.settings.get("object_masks")) is not None:
            self._find_object_masks(template)

    def _read_type(self, defect: str, field: str, value: object) -> None:
        spec = _mapping(field, value, DEFECT_FIELDS)
        for key in NEEDED_FIELDS:
            if key not in spec:
                raise _refuse(field, value, f"must have {key!r}")
        template = _template(f"{field}.masks", spec["masks"])
        values = _values(f"{field}.value", spec["value"]) if "value" in spec else AUTO
        images = self._matching(f"{field}.images", spec["images"])
        wanted = {path: _from_template(template, path) for path in images}
        masks = {path: self.finder.find(mask) for path, mask in wanted.items()}
        for path in images:
            mask = masks[path]
            if path in masks.values():  # a wide pattern finds the masks, too
                continue
            if mask is None:
                rule = f"its mask {wanted[path]} does not exist"
                self.faults.append(DatasetFinding("mask-missing", path, rule))
            elif not self._has(mask, values):
                self._without[path] = mask
            else:
                self._add(
                    Picture(
                        object=self.name,
                        path=path,
                        part="either",
                        defect=defect,
                        mask=mask,
                        mask_rule=values,
                    )
                )

    def _has(self, mask: str, rule: MaskRule) -> bool:
        """Whether ``mask`` has a value of ``rule``; what cannot be read is told by others."""
        if rule == AUTO:
            return True
        try:
            return bool(decode_mask(read_bytes(self.tree.uri(mask)), rule).pixels.any())
        except MaskFault as fault:
            return fault.kind != "mask-empty"
        except (ImageFault, DatasetFault):
            return True

    def _find_object_masks(self, value: object) -> None:
        template = _template(f"{self.field}object_masks", value)
        for key, picture in self.found.items():
            wanted = _from_template(template, picture.path)
            mask = self.finder.find(wanted)
            self.found[key] = replace(picture, foreground=mask)
            if mask is None and picture.defect is None:
                rule = f"its object mask {wanted} does not exist"
                self.faults.append(DatasetFinding("object-mask-missing", picture.path, rule))

    def _matching(self, field: str, value: object) -> list[str]:
        """Pictures that any of the patterns finds, sorted. A pattern that finds none is a fault."""
        found: set[str] = set()
        for pattern in _patterns(field, value):
            fits = re.compile(glob_translate(spelled(pattern)))
            paths = {
                path
                for path in self.tree.sizes
                if path.lower().endswith(SUFFIXES) and fits.match(spelled(path))
            }
            if not paths:
                rule = f"finds no picture ({field} in {SETTINGS})"
                self.faults.append(DatasetFinding("empty-folder", pattern, rule))
            found |= paths
        return sorted(found)

    def _add(self, picture: Picture) -> None:
        known = self._known(picture.path)
        other = next((one for one in known if None in (one.defect, picture.defect)), None)
        if other or picture.key in self.found:
            first = other or picture
            rule = f"is listed twice, as {first.defect or 'good'} and as {picture.defect or 'good'}"
            self.faults.append(DatasetFinding("listed-twice", picture.path, rule))
        else:
            self.found[picture.key] = picture
            self._types[picture.path].append(picture.defect)

    def _known(self, path: str) -> list[Picture]:
        """What is listed of the picture at ``path``: it as good, or each of its types."""
        types = self._types.get(path, [])
        return [self.found[path, defect] for defect in types]

    def _read_table(self, table: str) -> None:
        for row in self.tree.rows(table, "image"):
            path = self.finder.find(row["image"]) or row["image"]
            defect = row.get("defect") or None
            known = self._known(path)
            told = [one for one in known if defect in (None, one.defect)]
            for picture in told:
                group, caption = (row.get(key) or None for key in ("group", "caption"))
                self.found[picture.key] = replace(picture, group=group, caption=caption)
            if not told:
                self._add_row(table, path, defect, row)

    def _add_row(self, table: str, path: str, defect: str | None, row: Mapping[str, str]) -> None:
        mask, part, group, caption = (
            row.get(key) or None for key in ("mask", "part", "group", "caption")
        )
        mask_path = self.finder.find(mask) if mask else None
        lost = path if path not in self.tree.sizes else mask if mask and not mask_path else None
        if lost is not None:
            rule = f"is named in {table} but does not exist"
            self.faults.append(DatasetFinding("file-missing", lost, rule))
        elif defect and not mask:
            rule = f"{table} names no mask for it"
            self.faults.append(DatasetFinding("mask-missing", path, rule))
        elif part not in (None, "train", "test"):
            rule = f"part {part!r} in {table} must be train or test"
            self.faults.append(DatasetFinding("listed-wrong", path, rule))
        else:
            usual: Part = "either" if defect else "train"
            self._add(
                Picture(
                    object=self.name,
                    path=path,
                    part="test" if part == "test" else usual,
                    defect=defect,
                    mask=mask_path if defect else None,
                    group=group,
                    caption=caption,
                )
            )


def _template(field: str, value: object) -> str:
    """A path with ``{stem}`` in it, and no other placeholder than :data:`PLACEHOLDERS`."""
    if not isinstance(value, str) or "{stem}" not in value:
        raise _refuse(field, value, "must be a path with {stem} in it")
    for name in re.findall(r"{(.*?)}", value):
        if name not in PLACEHOLDERS:
            raise _refuse(field, value, f"knows only {{{'}, {'.join(PLACEHOLDERS)}}}")
    return value


def _values(field: str, value: object) -> MaskRule:
    """The rule that takes the number, or each of the list of numbers, ``value``."""
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(type(number) is int for number in numbers):
        raise _refuse(field, value, "must be a number that the masks have, or a list of some")
    try:
        return MaskRule.parse(f"value:{','.join(map(str, numbers))}")
    except ValueError as error:
        raise _refuse(field, value, str(error)) from error


def _from_template(template: str, image: str) -> str:
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
        tables=frozenset([SETTINGS, *(table for reader in readers for table in reader.tables)]),
        unread=(("", f"no pattern or table of {SETTINGS} finds it"),),
    )
