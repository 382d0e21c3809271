"""Training pairs of the control branch, made when they are asked for (paper, section III-C).

Pair ``i`` is a function of the data set, the seed and ``i`` alone: any worker makes the same, in
any order, and nothing is written to a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adabldm import foreground, images, pasting, placement, trimap
from adabldm.dataset import DefectImage, ObjectFolder, read_picture
from adabldm.features import Features

ATTEMPTS = 8
"""Good pictures and defects that are tried for one pair."""


class PairFault(ValueError):
    """A data set from which a pair cannot be made; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class TrainingPair:
    """A pasted defect: uint8 ``image`` (S, S, 3) and ``trimap`` (S, S), with its ``prompt``."""

    image: np.ndarray
    trimap: np.ndarray
    prompt: str
    object: str
    defect: str


class Product:
    """One object's pictures at one size S, each read once; ``features`` find the object in them
    (the embedded model's by default)."""

    def __init__(self, folder: ObjectFolder, size: int, features: Features | None = None) -> None:
        self.folder = folder
        self._size = size
        self._features = features
        self._goods: dict[str, np.ndarray] = {}
        self._insides: dict[str, np.ndarray] = {}
        self._defects: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Workers read for themselves; what is learnt from the good pictures travels."""
        return self.__dict__ | {"_goods": {}, "_insides": {}, "_defects": {}}

    @cached_property
    def predictor(self) -> foreground.ForegroundPredictor:
        step = max(1, len(self.folder.good) // foreground.PICTURES)
        chosen = self.folder.good[::step][: foreground.PICTURES]
        return foreground.fit([read_picture(uri) for uri in chosen], self._features)

    @property
    def is_texture(self) -> bool:
        surface = self.folder.surface
        return (self.predictor.surface if surface is None else surface) == "texture"

    def good(self, uri: str) -> np.ndarray:
        """A good picture of the object, uint8 (S, S, 3)."""
        if uri not in self._goods:
            self._goods[uri] = images.resize(read_picture(uri), self._size, self._size)
        return self._goods[uri]

    def inside(self, uri: str) -> np.ndarray:
        """Where a defect may lie in the good picture, uint8 (S, S), non-zero there."""
        if uri not in self._insides:
            self._insides[uri] = self._inside(uri)
        return self._insides[uri]

    def _inside(self, uri: str) -> np.ndarray:
        if self.is_texture:
            return np.full((self._size, self._size), 255, np.uint8)
        if uri in self.folder.foreground:
            mask = read_picture(self.folder.foreground[uri], "L")
        else:
            mask = self.predictor.mask(read_picture(uri))
        shrunk = images.resize(mask, self._size, self._size)
        return (shrunk > 127).astype(np.uint8) * 255

    def defect(self, item: DefectImage) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 (S, S, 3) and mask uint8 (S, S); no defect is too thin to be kept."""
        if item.image not in self._defects:
            image, mask = read_picture(item.image), read_picture(item.mask, "L")
            if not mask.any():
                raise PairFault(f"{item.mask}: the defect mask is empty")
            small = trimap.resize(trimap.compose(mask), self._size, self._size)
            self._defects[item.image] = (
                images.resize(image, self._size, self._size),
                (small == trimap.DEFECT).astype(np.uint8) * 255,
            )
        return self._defects[item.image]


class TrainingPairs:
    """``length`` pairs of ``size`` x ``size`` pixels; a map-style data set for torch's loader.

    Types take turns, so any beginning is balanced. ``prompt`` makes a text of an object's and a
    defect's name; a defect's own caption comes before it. Only ``good`` and ``defects`` of
    ``objects`` are used, never what is held out. ``seam`` see :data:`adabldm.pasting.Seam`.

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
            for product in (Product(folder, size, features) for folder in objects)
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
        for _ in range(ATTEMPTS):
            uri = product.folder.good[rng.integers(len(product.folder.good))]
            item = items[rng.integers(len(items))]
            inside = product.inside(uri)
            image, mask = product.defect(item)
            try:
                pasted, placed = pasting.paste(
                    rng, product.good(uri), image, mask, inside, seam=self._seam
                )
            except placement.PlacementFault:
                continue
            return TrainingPair(
                image=pasted,
                trimap=trimap.compose(placed, None if product.is_texture else inside),
                prompt=item.caption or self._prompt(product.folder.name, item.defect),
                object=product.folder.name,
                defect=item.defect,
            )
        raise PairFault(
            f"pair {index}: no {items[0].defect!r} of {product.folder.name!r} "
            f"fits on its object in {ATTEMPTS} tries"
        )
