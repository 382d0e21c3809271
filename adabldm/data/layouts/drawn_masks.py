"""Masks that are no files of the data set: drawn from shapes, or joined from several files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adabldm.core import images
from adabldm.core.data_uri import is_data, png_uri
from adabldm.core.mask_rule import AUTO, MaskRule
from adabldm.core.picture_uri import DatasetFault, read_mask
from adabldm.data.layouts.records import DatasetFinding
from adabldm.data.layouts.tree import Tree

DRAWN = MaskRule("nonzero")
"""How such masks are read: there is nothing to find out."""


def to_uri(mask: np.ndarray, name: str) -> str:
    """A bool (H, W) ``mask`` as a ``data:`` URI of a PNG of 0 / 255, called ``name``."""
    return png_uri(images.encode_png(np.where(mask, 255, 0).astype(np.uint8)), name)


def joined(tree: Tree, paths: Sequence[str]) -> str | DatasetFinding:
    """The union of the masks at ``paths``; itself if there is one."""
    if len(paths) == 1:
        return paths[0]
    whole: np.ndarray | None = None
    for path in paths:
        try:
            mask = read_mask(tree.uri(path)) > 0
        except DatasetFault as fault:
            rule = str(fault).removeprefix(f"{tree.uri(path)}: ")
            return DatasetFinding("unreadable", path, rule)
        if whole is not None and whole.shape != mask.shape:
            return DatasetFinding("mask-size", path, f"has another size than {paths[0]}")
        whole = mask if whole is None else whole | mask
    if whole is None:
        raise ValueError("there is no mask to join")
    return to_uri(whole, f"{paths[0]} and {len(paths) - 1} more")


def rule_of(mask: str) -> MaskRule:
    """How the ``mask`` of :func:`joined` is read."""
    return DRAWN if is_data(mask) else AUTO
