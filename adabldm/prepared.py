"""The one door to a data set: a folder that ``adabldm prepare`` wrote, or any raw layout."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from adabldm import dataset
from adabldm.dataset import DefectImage, ObjectFolder

SHOTS = 10
"""Real defect pictures a type that may be learned from, unless told otherwise."""


def open_dataset(
    uri: str,
    *,
    layout: str = "auto",
    shots: int = SHOTS,
    split_seed: int = 0,
    split_file: str | None = None,
) -> list[ObjectFolder]:
    """The objects at ``uri``, split into few-shot and held-out defects.

    Raises :class:`adabldm.dataset.DatasetFault`.
    """
    if layout not in ("auto", "mvtec") or split_file is not None:
        raise dataset.DatasetFault(f"{uri}: only MVTec AD layout with the default split is read")
    return [_split(folder, shots, split_seed) for folder in dataset.read_mvtec(uri)]


def _split(folder: ObjectFolder, shots: int, seed: int) -> ObjectFolder:
    few: list[DefectImage] = []
    for name in folder.defect_types:
        items: Sequence[DefectImage] = [item for item in folder.defects if item.defect == name]
        order = random.Random(f"{seed}/{folder.name}/{name}").sample(range(len(items)), len(items))  # noqa: S311
        few.extend(items[i] for i in sorted(order[:shots]))
    held_out = tuple(item for item in folder.defects if item not in set(few))
    return replace(folder, defects=tuple(few), held_out=held_out)
