"""MVTec AD and BTAD: an object's folder holds a folder a type, and masks beside them.

MVTec AD (Bergmann et al., CVPR 2019): ``train/good``, ``test/good``, ``test/<type>``,
``ground_truth/<type>/<stem>_mask.png``. BTAD (Mishra et al., ISIE 2021): ``train/ok``,
``test/ok``, ``test/ko``, ``ground_truth/ko/<stem>.png`` (or ``.bmp``). An ``index.csv`` with the
columns ``sub``, ``file`` and ``tile_group`` (or ``group``) in an object's folder names the
specimen that each picture shows.
"""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath

from adabldm.data.layouts.records import DatasetFinding, Listing, Picture
from adabldm.data.layouts.tree import Tree, join

INDEX = "index.csv"
GROUP_COLUMNS = ("group", "tile_group")
MASK_SUFFIX = "_mask"


def stem(path: str) -> str:
    """``000`` for ``test/crack/000.png``."""
    return PurePosixPath(path).stem


def objects(tree: Tree, good: str) -> list[str]:
    """The folders that hold ``train/<good>``: the root itself (``""``), or those in it."""
    if tree.has_folder(f"train/{good}"):
        return [""]
    return [name for name in tree.folders() if tree.has_folder(f"{name}/train/{good}")]


def read_groups(tree: Tree, folder: str) -> dict[str, str]:
    """Group by picture path, from the object's ``index.csv`` if it has one that names groups."""
    path = join(folder, INDEX)
    if path not in tree.sizes:
        return {}
    groups: dict[str, str] = {}
    for row in tree.rows(path):
        column = next((name for name in GROUP_COLUMNS if name in row), None)
        if column is None or not {"sub", "file"} <= row.keys():
            return {}
        if row[column]:
            groups[join(folder, row["sub"], row["file"])] = row[column]
    return groups


class _ObjectReader:
    """Reads one object's folder, ``good`` being the name of its good pictures' folders."""

    def __init__(self, tree: Tree, folder: str, good: str) -> None:
        self.tree, self.folder, self.good = tree, folder, good
        self.name = folder or tree.name
        self.groups = read_groups(tree, folder)
        self.pictures: list[Picture] = []
        self.faults: list[DatasetFinding] = []

    def read(self) -> None:
        for part in ("train", "test"):
            for path in self._unique(join(self.folder, part, self.good)):
                self.pictures.append(
                    Picture(
                        object=self.name,
                        path=path,
                        part="train" if part == "train" else "test",
                        group=self.groups.get(path),
                    )
                )
        test, truth = join(self.folder, "test"), join(self.folder, "ground_truth")
        types = [name for name in self.tree.folders(test) if name != self.good]
        for name in types:
            self._read_type(name, f"{test}/{name}", f"{truth}/{name}")
        for name in self.tree.folders(truth):
            if name not in types and name != self.good and self.tree.pictures(f"{truth}/{name}"):
                self._fault("mask-alone", f"{truth}/{name}", f"its pictures' folder {test}/{name} "
                            "does not exist")  # fmt: skip

    def _read_type(self, defect: str, folder: str, masks_folder: str) -> None:
        masks = self._masks(masks_folder)
        found = self._unique(folder)
        if not found:
            self._fault("empty-folder", folder, "holds no picture of this defect")
        for path in found:
            mask = masks.pop(stem(path), None)
            if mask is None:
                wanted = f"{masks_folder}/{stem(path)}{MASK_SUFFIX}.png"
                self._fault("mask-missing", path, f"its mask {wanted} does not exist")
                continue
            self.pictures.append(
                Picture(
                    object=self.name,
                    path=path,
                    part="either",
                    defect=defect,
                    mask=mask,
                    group=self.groups.get(path),
                )
            )
        for key, mask in masks.items():
            self._fault("mask-alone", mask, f"its picture {folder}/{key} does not exist")

    def _masks(self, folder: str) -> dict[str, str]:
        """Mask by the stem of its picture."""
        found: dict[str, str] = {}
        for path in self._unique(folder):
            key = stem(path).removesuffix(MASK_SUFFIX)
            if key in found:
                self._fault("two-files", path, f"is the second mask of {key!r}, after {found[key]}")
            else:
                found[key] = path
        return found

    def _unique(self, folder: str) -> list[str]:
        """The pictures in ``folder``, one a stem; what cannot be one of them is a fault."""
        first: dict[str, str] = {}
        for path in self.tree.pictures(folder):
            if stem(path) in first:
                other = posixpath.basename(first[stem(path)])
                self._fault("two-files", path, f"has the name of {other} but for its suffix")
            else:
                first[stem(path)] = path
        for path in self.tree.unread(folder):
            self._fault("unread-type", path, "files of this type are not read")
        return list(first.values())

    def _fault(self, kind: str, path: str, rule: str) -> None:
        self.faults.append(DatasetFinding(kind, path, rule))


def read(tree: Tree, layout: str, good: str) -> Listing:
    """Every object at ``tree`` whose good pictures are in folders named ``good``."""
    pictures: list[Picture] = []
    faults: list[DatasetFinding] = []
    for folder in objects(tree, good):
        reader = _ObjectReader(tree, folder, good)
        reader.read()
        pictures += reader.pictures
        faults += reader.faults
    return Listing(layout=layout, pictures=tuple(pictures), faults=tuple(faults))
