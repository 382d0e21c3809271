"""Training pairs of the control branch, made when they are asked for (paper, section III-C).

Pair ``i`` is a function of the data set, the seed and ``i`` alone: any worker makes the same, in
any order, and nothing is written to a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from adabldm.core import trimap
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.foreground.features import Features
from adabldm.placement import pasting, transform
from adabldm.planning.object_pictures import ATTEMPTS, ObjectPictures, PairFault


@dataclass(frozen=True, kw_only=True)
class TrainingPair:
    """A pasted defect: uint8 ``image`` (S, S, 3) and ``trimap`` (S, S), with its ``prompt``."""

    image: np.ndarray
    trimap: np.ndarray
    prompt: str
    object: str
    defect: str


class TrainingPairs:
    """``length`` pairs of ``size`` x ``size`` pixels; a map-style data set for torch's loader.

    Types take turns, so any beginning is balanced. ``prompt`` makes a text of an object's and a
    defect's name; a defect's own caption comes before it. Only ``good`` and ``defects`` of
    ``objects`` are used, never what is held out. ``seam`` see
    :data:`adabldm.placement.pasting.Seam`.

    Raises :class:`PairFault` if an object has no good picture, or none has a defect.
    """

    def __init__(
        self,
        objects: Sequence[ObjectFolder],
        *,
        prompt: Callable[[str, str], str],
        size: int,
        length: int,
        seed: int = 0,
        seam: pasting.Seam = "soft",
        features: Features | None = None,
    ) -> None:
        for folder in objects:
            if folder.defects and not folder.good:
                raise PairFault(f"{folder.name}: has defects, but no good picture to paste them on")
        self._seed, self._seam, self._prompt, self._length = seed, seam, prompt, length
        self._turns = [
            (product, [item for item in product.folder.defects if item.defect == name])
            for product in (ObjectPictures(folder, size, features) for folder in objects)
            for name in product.folder.defect_types
        ]
        if not self._turns:
            raise PairFault("no object has a defect image")

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> TrainingPair:
        """Pair ``index``. Raises ``IndexError`` beyond the end, :class:`PairFault` if no defect
        of the type that is tried fits on its object."""
        if not 0 <= index < self._length:
            raise IndexError(f"pair {index} of {self._length}")
        product, items = self._turns[index % len(self._turns)]
        rng = np.random.default_rng([self._seed, index])
        image, marks, item = paste_one(rng, product, items, self._seam)
        return TrainingPair(
            image=image,
            trimap=marks,
            prompt=item.caption or self._prompt(product.folder.name, item.defect),
            object=product.folder.name,
            defect=item.defect,
        )


def paste_one(
    rng: np.random.Generator,
    product: ObjectPictures,
    items: Sequence[DefectImage],
    seam: pasting.Seam,
) -> tuple[np.ndarray, np.ndarray, DefectImage]:
    """One of ``items`` pasted on one of the product's good pictures: image uint8 (S, S, 3), trimap
    uint8 (S, S), and the defect. Raises :class:`PairFault` if none of those that are tried fits."""
    for _ in range(ATTEMPTS):
        uri = product.folder.good[rng.integers(len(product.folder.good))]
        item = items[int(rng.integers(len(items)))]
        inside = product.inside(uri)
        image, mask = product.defect(item)
        try:
            pasted, placed = pasting.paste(rng, product.good(uri), image, mask, inside, seam=seam)
        except transform.PlacementFault:
            continue
        return pasted, trimap.compose(placed, None if product.is_texture else inside), item
    raise PairFault(
        f"no {items[0].defect!r} of {product.folder.name!r} fits on its object in {ATTEMPTS} tries"
    )
