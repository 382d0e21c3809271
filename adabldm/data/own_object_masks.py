"""Object masks that a user has: a folder of them, matched to good pictures by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import SUFFIXES, DatasetFault, split_fragment
from adabldm.data.layouts.tree import Tree

ENDING = "_mask"


@dataclass(frozen=True, kw_only=True)
class OwnMasks:
    """Objects with their own masks, and the good pictures that have none, by object."""

    objects: Sequence[ObjectFolder]
    missing: Mapping[str, Sequence[str]]


def with_object_masks(objects: Sequence[ObjectFolder], uri: str) -> OwnMasks:
    """``objects`` whose ``foreground`` are the masks in the folder at ``uri``.

    A mask has its picture's path, or the end of it (``train/good/007.png``, ``007.png``), of any
    suffix, perhaps with ``_mask`` before it. Textures, and objects without any mask there, stay as
    they are. Raises :class:`DatasetFault` for a folder with no mask of a good picture, and for one
    mask of two pictures or two of one.
    """
    tree = Tree(uri)
    masks: dict[str, list[str]] = defaultdict(list)
    for path in sorted(tree.sizes):
        plain = PurePosixPath(path)
        if plain.suffix.lower() in SUFFIXES:
            masks[str(plain.with_suffix("")).removesuffix(ENDING)].append(path)
    made: list[ObjectFolder] = []
    missing: dict[str, Sequence[str]] = {}
    owners: dict[str, str] = {}
    for folder in objects:
        found = {} if folder.surface == "texture" else _matched(folder, tree, masks, owners)
        if not any(picture in found for picture in folder.good):
            made.append(folder)
            continue
        made.append(replace(folder, surface="object", foreground=found))
        if without := [picture for picture in folder.good if picture not in found]:
            missing[folder.name] = without
    if not any(folder.foreground for folder in made):
        raise DatasetFault(f"{uri}: holds no mask that has a good picture's name")
    return OwnMasks(objects=made, missing=missing)


def _matched(
    folder: ObjectFolder, tree: Tree, masks: Mapping[str, Sequence[str]], owners: dict[str, str]
) -> dict[str, str]:
    """The mask's URI of each good picture that has one, and of each other."""
    found: dict[str, str] = {}
    others = (*folder.test_good, *(d.image for d in (*folder.defects, *folder.held_out)))
    for number, picture in enumerate(dict.fromkeys((*folder.good, *others))):
        file, box = split_fragment(picture)
        key = _longest_end(file, masks)
        if key is None or (number >= len(folder.good) and "/" not in key):
            continue  # a bare name is that of a good picture
        if len(masks[key]) > 1:
            both = " and ".join(tree.uri(path) for path in masks[key][:2])
            raise DatasetFault(f"{both}: are both the object mask of {file}")
        mask = tree.uri(masks[key][0])
        if owners.setdefault(mask, file) != file:
            raise DatasetFault(
                f"{mask}: is the object mask of {owners[mask]} and of {file}: masks of pictures "
                "of one name lie in folders as the pictures do"
            )
        found[picture] = mask + (box.fragment if box else "")
    return found


def _longest_end(file: str, masks: Mapping[str, Sequence[str]]) -> str | None:
    """The key in ``masks`` that is the longest end of the picture's path."""
    parts = PurePosixPath(file).with_suffix("").parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end in masks), None)
