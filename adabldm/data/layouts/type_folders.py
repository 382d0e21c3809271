"""Objects whose pictures are in a folder a type, with masks in folders of the same names.

``train/good``, ``test/<type>`` and ``ground_truth/<type>`` are read with all folders below them. A
mask belongs to the picture of the same path below its type's folder (``line1/000_mask.png`` or
``line1/000.png`` to ``line1/000.jpg``); where there is none, all masks in a folder of the
picture's name (``line1/000/*.png``) do, together.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adabldm.core.mask_rule import AUTO
from adabldm.data.layouts.drawn_masks import joined, rule_of
from adabldm.data.layouts.records import DatasetFinding, Listing, Part, Picture
from adabldm.data.layouts.specimens import read_specimens
from adabldm.data.layouts.tree import Tree, join

MASK_SUFFIX = "_mask"


@dataclass(frozen=True)
class Shelf:
    """A folder of type folders; ``part`` is what its good pictures are for, ``defects`` what its
    defective ones are; their masks are in the first of ``truths`` that has one."""

    folder: str
    part: Part
    defects: Part
    truths: tuple[str, ...]


MVTEC_SHELVES = (
    Shelf("train", "train", "train", ("train/ground_truth", "ground_truth")),
    Shelf("validation", "train", "train", ("validation/ground_truth", "ground_truth")),
    Shelf("test", "test", "either", ("test/ground_truth", "ground_truth")),
)
"""A type with pictures in ``train`` is learned from there, and evaluated on those in ``test``."""

Grouping = Callable[[str], str | None]
"""The group that a picture's path tells."""


def _nothing(_: str) -> None:
    return None


def trunk(path: str, folder: str) -> str:
    """``line1/000`` for ``test/crack/line1/000.png`` below ``test/crack``."""
    return posixpath.splitext(path.removeprefix(folder).strip("/"))[0]


class ObjectReader:
    """Reads one object's folder, ``good`` being the name of its good pictures' folders."""

    def __init__(
        self,
        tree: Tree,
        folder: str,
        good: str,
        shelves: tuple[Shelf, ...] = MVTEC_SHELVES,
        grouping: Grouping = _nothing,
    ) -> None:
        self.tree, self.folder, self.good, self.shelves = tree, folder, good, shelves
        self.name = folder or tree.name
        self.specimens = read_specimens(tree, folder)
        self.grouping = grouping
        self.pictures: list[Picture] = []
        self.faults: list[DatasetFinding] = list(self.specimens.faults)
        self._masks: dict[str, dict[str, str]] = {}

    def read(self) -> None:
        for shelf in self.shelves:
            for path in self._unique(join(self.folder, shelf.folder, self.good)).values():
                self._add(path, shelf.part)
        learned: set[str] = set()
        jobs: list[tuple[Shelf, str, dict[str, str]]] = []
        for shelf in self.shelves:
            for defect in self._types(shelf):
                folder = join(self.folder, shelf.folder, defect)
                found = self._unique(folder)
                if not found:
                    self._fault("empty-folder", folder, "holds no picture of this defect")
                jobs.append((shelf, defect, found))
        # A test set's own masks are told apart from those of training pictures of the same name.
        claims = [self._claimed(*job) for job in reversed(jobs)][::-1]
        for (shelf, defect, found), masks in zip(jobs, claims, strict=True):
            part = "test" if shelf.defects == "either" and defect in learned else shelf.defects
            if part == "train" and masks:
                learned.add(defect)
            self._add_type(shelf, defect, found, masks, part)
        self._tell_masks_alone({defect for _, defect, _ in jobs})

    def _types(self, shelf: Shelf) -> list[str]:
        others = {posixpath.basename(truth) for truth in shelf.truths} | {self.good}
        folder = join(self.folder, shelf.folder)
        return [name for name in self.tree.folders(folder) if name not in others]

    def _claimed(self, shelf: Shelf, defect: str, found: Mapping[str, str]) -> dict[str, list[str]]:
        """The masks of each of the pictures ``found``, which no other picture gets then."""
        claimed: dict[str, list[str]] = {}
        known = [self._masks_in(join(self.folder, truth, defect)) for truth in shelf.truths]
        for masks in known:
            for key in found:
                if key not in claimed and key in masks:
                    claimed[key] = [masks.pop(key)]
        for masks in known:
            for key in found:
                if key not in claimed:
                    below = [one for one in masks if one.startswith(f"{key}/")]
                    claimed |= {key: [masks.pop(one) for one in below]} if below else {}
        return claimed

    def _add_type(
        self,
        shelf: Shelf,
        defect: str,
        found: Mapping[str, str],
        masks: Mapping[str, list[str]],
        part: Part,
    ) -> None:
        for key, path in found.items():
            if key not in masks:
                wanted = join(self.folder, shelf.truths[-1], defect, f"{key}{MASK_SUFFIX}.png")
                self._fault("mask-missing", path, f"its mask {wanted} does not exist")
                continue
            mask = joined(self.tree, masks[key])
            if isinstance(mask, DatasetFinding):
                self.faults.append(mask.with_files(path, *masks[key]))
            else:
                self._add(path, part, defect, mask, tuple(masks[key]))

    def _tell_masks_alone(self, types: set[str]) -> None:
        for folder, masks in self._masks.items():
            defect = posixpath.basename(folder)
            for key, mask in masks.items():
                beside = join(self.folder, self.shelves[-1].folder, defect)
                self._fault("mask-alone", mask, f"its picture {beside}/{key} does not exist")
        for truth in dict.fromkeys(truth for shelf in self.shelves for truth in shelf.truths):
            for defect in self.tree.folders(join(self.folder, truth)):
                folder = join(self.folder, truth, defect)
                if defect in types or defect == self.good or not self.tree.pictures_below(folder):
                    continue
                beside = join(self.folder, self.shelves[-1].folder, defect)
                rule = f"its pictures' folder {beside} does not exist"
                self._fault("mask-alone", folder, rule)

    def _masks_in(self, folder: str) -> dict[str, str]:
        """Masks below ``folder`` that no picture has claimed, by the trunk of their picture."""
        if folder not in self._masks:
            found: dict[str, str] = {}
            for stem, path in self._unique(folder).items():
                key = stem.removesuffix(MASK_SUFFIX)
                if key in found:
                    rule = f"is the second mask of {key!r}, after {found[key]}"
                    self._fault("two-files", path, rule)
                else:
                    found[key] = path
            self._masks[folder] = found
        return self._masks[folder]

    def _unique(self, folder: str) -> dict[str, str]:
        """The pictures below ``folder`` by their trunks; a second one of a trunk is a fault."""
        first: dict[str, str] = {}
        for path in self.tree.pictures_below(folder):
            other = first.setdefault(trunk(path, folder), path)
            if other != path:
                name = posixpath.basename(other)
                self._fault("two-files", path, f"has the name of {name} but for its suffix")
        return first

    def _add(
        self,
        path: str,
        part: Part,
        defect: str | None = None,
        mask: str | None = None,
        sources: tuple[str, ...] = (),
    ) -> None:
        self.pictures.append(
            Picture(
                object=self.name,
                path=path,
                part=part,
                defect=defect,
                mask=mask,
                mask_rule=AUTO if mask is None else rule_of(mask),
                sources=sources,
                group=self.specimens.groups.get(path) or self.grouping(path),
            )
        )

    def _fault(self, kind: str, path: str, rule: str) -> None:
        self.faults.append(DatasetFinding(kind, path, rule))


def listing(tree: Tree, layout: str, readers: list[ObjectReader], sign: str) -> Listing:
    """What ``readers`` find; folders beside theirs lack the ``sign`` of an object."""
    for reader in readers:
        reader.read()
    names = [reader.folder for reader in readers]
    beside = [] if "" in names else [name for name in tree.folders() if name not in names]
    tables = [reader.specimens.table for reader in readers]
    return Listing(
        layout=layout,
        pictures=tuple(picture for reader in readers for picture in reader.pictures),
        faults=tuple(fault for reader in readers for fault in reader.faults),
        remarks=tuple(remark for reader in readers for remark in reader.specimens.remarks),
        tables=frozenset(table for table in tables if table),
        unread=tuple((name, f"{name} has no {sign}, so it is no object") for name in beside),
    )
