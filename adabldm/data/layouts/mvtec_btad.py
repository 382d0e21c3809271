"""MVTec AD and BTAD: an object's folder holds a folder a type, and masks beside them.

MVTec AD (Bergmann et al., CVPR 2019): ``train/good``, ``test/good``, ``test/<type>``,
``ground_truth/<type>/<stem>_mask.png``. BTAD (Mishra et al., ISIE 2021): ``train/ok``,
``test/ok``, ``test/ko``, ``ground_truth/ko/<stem>.png`` (or ``.bmp``). MVTec LOCO (Bergmann et
al., IJCV 2022) adds ``validation/good`` and has the masks of a picture in a folder of its own,
``ground_truth/<type>/<stem>/000.png``. :mod:`type_folders` says how they are read, and
:mod:`specimens` how pictures of one specimen are told.
"""

from __future__ import annotations

from adabldm.data.layouts.records import Listing
from adabldm.data.layouts.tree import Tree, join
from adabldm.data.layouts.type_folders import ObjectReader, listing

LOCO_TYPES = ("logical_anomalies", "structural_anomalies")


def objects(tree: Tree, good: str) -> list[str]:
    """The folders that hold ``train/<good>``: the root itself (``""``), or those in it."""
    if tree.has_folder(f"train/{good}"):
        return [""]
    return [name for name in tree.folders() if tree.has_folder(f"{name}/train/{good}")]


def is_loco(tree: Tree) -> bool:
    """Whether any object has one of LOCO's two types."""
    return any(
        tree.has_folder(join(folder, "test", kind))
        for folder in objects(tree, "good")
        for kind in LOCO_TYPES
    )


def read(tree: Tree, layout: str, good: str) -> Listing:
    """Every object at ``tree`` whose good pictures are in folders named ``good``."""
    readers = [ObjectReader(tree, folder, good) for folder in objects(tree, good)]
    return listing(tree, layout, readers, f"train/{good}")
