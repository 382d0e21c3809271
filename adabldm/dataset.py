"""Data sets in MVTec AD layout, on any fsspec file system.

An object's folder holds ``train/good``, ``test/<defect>`` and
``ground_truth/<defect>/<stem>_mask.png``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import fsspec

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class DatasetFault(ValueError):
    """A folder that is not a usable data set; the message says where and why."""


@dataclass(frozen=True, kw_only=True)
class DefectImage:
    """A real defective image and its mask, as URIs."""

    defect: str
    image: str
    mask: str


@dataclass(frozen=True, kw_only=True)
class ObjectFolder:
    """One object's images: ``good`` for training, ``test_good`` unseen, and its defects."""

    name: str
    good: tuple[str, ...]
    test_good: tuple[str, ...]
    defects: tuple[DefectImage, ...]

    @property
    def defect_types(self) -> list[str]:
        return sorted({item.defect for item in self.defects})


def _pictures(fs: fsspec.AbstractFileSystem, folder: str) -> list[str]:
    if not fs.isdir(folder):
        return []
    found = (path for path in fs.ls(folder, detail=False))
    return sorted(path for path in found if path.lower().endswith(SUFFIXES))


def _defects(fs: fsspec.AbstractFileSystem, root: str) -> list[DefectImage]:
    found: list[DefectImage] = []
    test = f"{root}/test"
    if not fs.isdir(test):
        return found
    for folder in sorted(fs.ls(test, detail=False)):
        defect = PurePosixPath(folder).name
        if defect == "good" or not fs.isdir(folder):
            continue
        masks = set(_pictures(fs, f"{root}/ground_truth/{defect}"))
        for image in _pictures(fs, folder):
            mask = f"{root}/ground_truth/{defect}/{PurePosixPath(image).stem}_mask.png"
            if mask not in masks:
                raise DatasetFault(f"{image}: its mask {mask} does not exist")
            found.append(
                DefectImage(
                    defect=defect, image=fs.unstrip_protocol(image), mask=fs.unstrip_protocol(mask)
                )
            )
    return found


def _read_object(fs: fsspec.AbstractFileSystem, root: str) -> ObjectFolder:
    def uris(folder: str) -> tuple[str, ...]:
        return tuple(fs.unstrip_protocol(path) for path in _pictures(fs, folder))

    return ObjectFolder(
        name=PurePosixPath(root).name,
        good=uris(f"{root}/train/good"),
        test_good=uris(f"{root}/test/good"),
        defects=tuple(_defects(fs, root)),
    )


def read_mvtec(uri: str) -> list[ObjectFolder]:
    """List the object folders at ``uri``: the object's own folder, or a root of several.

    Raises :class:`DatasetFault` if there is none, or a defect image has no mask.
    """
    fs, root = fsspec.url_to_fs(uri)
    root = root.rstrip("/")
    if fs.isdir(f"{root}/train/good"):
        return [_read_object(fs, root)]
    folders = fs.ls(root, detail=False) if fs.isdir(root) else []
    objects = [_read_object(fs, f) for f in sorted(folders) if fs.isdir(f"{f}/train/good")]
    if not objects:
        raise DatasetFault(f"{uri}: no train/good below it (MVTec AD layout)")
    return objects
