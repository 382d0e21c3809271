"""KolektorSDD2 (Bozic et al., Computers in Industry 129, 2021): tall pictures, one mask each.

``train`` and ``test`` hold ``<number>.png`` and ``<number>_GT.png``, an all-zero mask for a good
picture. The method works on squares, so a tall picture is read as its first, middle and last
square (arXiv 2402.19330, section 4.1), which overlap; a square without a defect pixel is a good
picture. Squares of one picture are one group.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from adabldm.core.picture_uri import Box, DatasetFault, read_mask
from adabldm.data.layouts.records import DatasetFinding, Listing, Part, Picture
from adabldm.data.layouts.tree import Tree, stem

TRUTH = "_GT"
DEFECT = "defect"
PARTS: tuple[Part, Part] = ("train", "test")

LEAST_SHARE = 0.05
"""A square with less than this share of its picture's defect pixels is neither good nor an example
of the defect: it is left out."""

LEAST_EXCESS = 1.15
"""A picture less elongated than this is one square, its middle."""

READERS = 16


def matches(tree: Tree) -> bool:
    return any(stem(path).endswith(TRUTH) for part in PARTS for path in tree.pictures(part))


def squares(height: int, width: int) -> list[Box]:
    """First, middle and last square of a picture, along its longer side, without repetition."""
    side, length = min(height, width), max(height, width)
    middle = (length - side) // 2
    starts = [0, middle, length - side] if length >= LEAST_EXCESS * side else [middle]
    if height >= width:
        return [Box(0, start, side, side) for start in starts]
    return [Box(start, 0, side, side) for start in starts]


def _cut(
    tree: Tree, part: Part, path: str, mask_path: str
) -> tuple[list[Picture], int] | DatasetFinding:
    """The squares of one picture that are usable, and how many are not."""
    try:
        mask = read_mask(tree.uri(mask_path)) > 0
    except DatasetFault as fault:
        return DatasetFinding(
            "unreadable", mask_path, str(fault).removeprefix(f"{tree.uri(mask_path)}: ")
        )
    total = int(np.count_nonzero(mask))
    found: list[Picture] = []
    boxes = squares(*mask.shape)
    for box in boxes:
        inside = mask[box.y : box.y + box.height, box.x : box.x + box.width]
        pixels = int(np.count_nonzero(inside))
        if 0 < pixels < LEAST_SHARE * total:
            continue
        found.append(
            Picture(
                object=tree.name,
                path=path + box.fragment,
                # A good square of a defective picture goes where the split puts its picture.
                part=part if not total or part == "test" else "either",
                defect=DEFECT if pixels else None,
                mask=mask_path + box.fragment if pixels else None,
                group=path,
                sources=(mask_path,),
            )
        )
    return found, len(boxes) - len(found)


def read(tree: Tree) -> Listing:
    """Every square at ``tree``. Masks are decoded here, pictures are not."""
    jobs: list[tuple[Part, str, str]] = []
    faults: list[DatasetFinding] = []
    for part in PARTS:
        found = tree.pictures(part)
        masks = {
            stem(path).removesuffix(TRUTH): path for path in found if stem(path).endswith(TRUTH)
        }
        for path in found:
            if stem(path).endswith(TRUTH):
                continue
            mask = masks.pop(stem(path), None)
            if mask is None:
                rule = f"its mask {part}/{stem(path)}{TRUTH}.png does not exist"
                faults.append(DatasetFinding("mask-missing", path, rule))
            else:
                jobs.append((part, path, mask))
        for key, path in masks.items():
            rule = f"its picture {part}/{key}.png does not exist"
            faults.append(DatasetFinding("mask-alone", path, rule))
    pictures: list[Picture] = []
    slivers = 0
    with ThreadPoolExecutor(READERS) as pool:
        for result in pool.map(lambda job: _cut(tree, *job), jobs):
            if isinstance(result, DatasetFinding):
                faults.append(result)
            else:
                pictures += result[0]
                slivers += result[1]
    remark = f"squares with less than {LEAST_SHARE:.0%} of a defect, not used: {slivers}"
    return Listing(
        layout="ksdd2",
        pictures=tuple(pictures),
        faults=tuple(faults),
        remarks=(remark,) if slivers else (),
    )
