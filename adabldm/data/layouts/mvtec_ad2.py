"""MVTec AD 2 (Heckler-Kram et al., 2025): ``train/good``, ``validation/good``, ``test_public``.

``test_public`` holds ``good``, ``bad`` and ``ground_truth/bad/<stem>_mask.png``. A picture is
called ``<number>_<light>.png``: those of one number in one folder show one specimen under several
lights. The masks of the private tests are not published, so these are not read.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace

from adabldm.data.layouts import mvtec_btad
from adabldm.data.layouts.records import Listing
from adabldm.data.layouts.tree import Tree, join
from adabldm.data.layouts.type_folders import ObjectReader, Shelf, listing

TEST = "test_public"
SIGN = f"train/good with {TEST}"
SHELVES = (
    Shelf("train", "train", "train", ("train/ground_truth",)),
    Shelf("validation", "train", "train", ("validation/ground_truth",)),
    Shelf(TEST, "test", "either", (f"{TEST}/ground_truth",)),
)
"""Validation pictures are good ones like those of ``train``."""

PRIVATE = ("test_private", "test_private_mixed")
NAME = re.compile(r"(\d+)_\w+\Z")


def objects(tree: Tree) -> list[str]:
    """The folders that hold ``train/good`` and ``test_public``."""
    found = mvtec_btad.objects(tree, "good")
    return [folder for folder in found if tree.has_folder(join(folder, TEST))]


def specimen(path: str) -> str | None:
    """``can/test_public/bad/003`` for ``can/test_public/bad/003_shift_1.png``."""
    folder, name = posixpath.split(path)
    found = NAME.match(posixpath.splitext(name)[0])
    return join(folder, found[1]) if found else None


def read(tree: Tree) -> Listing:
    """Every object at ``tree``."""
    readers = []
    private = []
    for folder in objects(tree):

        def grouping(path: str, folder: str = folder) -> str | None:
            return specimen(path.removeprefix(folder).strip("/"))

        readers.append(ObjectReader(tree, folder, "good", SHELVES, grouping))
        for name in PRIVATE:
            rule = "its masks are not published, so it can be neither learned from nor measured"
            private.append((join(folder, name), rule))
    found = listing(tree, "mvtec_ad2", readers, SIGN)
    return replace(found, unread=(*found.unread, *private))
