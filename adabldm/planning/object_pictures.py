"""One object's pictures at one size, each read once: good ones, defects, where an object lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from adabldm.core import images, trimap
from adabldm.core.data_uri import shown
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import read_defect_mask, read_picture
from adabldm.foreground.object_masks import ObjectMasks
from adabldm.placement.transform import Placement, PlacementFault, place

if TYPE_CHECKING:
    from adabldm.foreground.features import Features

ATTEMPTS = 8
"""Good pictures and defects that are tried for one pair."""


class PairFault(ValueError):
    """A data set from which a training example cannot be made; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A good picture, a real defect, and where the defect fits on the picture's object."""

    good: str
    item: DefectImage
    where: Placement


class ObjectPictures:
    """Pictures of ``folder``, brought to ``size`` x ``size`` pixels and kept; ``features`` find the
    object in them, those of the folder's own backbone by default."""

    def __init__(self, folder: ObjectFolder, size: int, features: Features | None = None) -> None:
        self.folder = folder
        self._size = size
        self._masks = ObjectMasks(folder, features)
        self._goods: dict[str, np.ndarray] = {}
        self._insides: dict[str, np.ndarray] = {}
        self._defects: dict[DefectImage, tuple[np.ndarray, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Workers read for themselves; what is learnt from the good pictures travels."""
        return self.__dict__ | {"_goods": {}, "_insides": {}, "_defects": {}}

    @property
    def is_texture(self) -> bool:
        """Whether the object fills its pictures."""
        return self._masks.is_texture

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
        shrunk = images.resize(self._masks.mask(uri), self._size, self._size)
        return (shrunk > 127).astype(np.uint8) * 255

    def defect(self, item: DefectImage) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 (S, S, 3) and mask uint8 (S, S); no defect is too thin to be kept."""
        if item not in self._defects:
            image, mask = read_picture(item.image), read_defect_mask(item.mask, item.mask_rule)
            if mask.shape != image.shape[:2]:
                raise PairFault(
                    f"{shown(item.mask)}: is not of the size of its picture {item.image}"
                )
            small = trimap.resize(trimap.compose(mask), self._size, self._size)
            self._defects[item] = (
                images.resize(image, self._size, self._size),
                (small == trimap.DEFECT).astype(np.uint8) * 255,
            )
        return self._defects[item]

    def trimap(self, defect: np.ndarray, uri: str) -> np.ndarray:
        """Trimap uint8 (S, S) of a ``defect`` (S, S), non-zero there, on the picture at ``uri``."""
        return trimap.compose(defect, None if self.is_texture else self.inside(uri))

    @property
    def without_object(self) -> list[str]:
        """Good pictures that were read and are left out, because no object is found in them."""
        return self._masks.without_object

    def draw_good(self, rng: np.random.Generator) -> str:
        """One of the good pictures, with an object. Raises :class:`PairFault` if none of
        :data:`ATTEMPTS` has one."""
        for _ in range(ATTEMPTS):
            uri = self.folder.good[int(rng.integers(len(self.folder.good)))]
            if self.inside(uri).any():
                return uri
        name = self.folder.name
        raise PairFault(
            f"no object is found in {ATTEMPTS} good pictures of {name!r} that are tried"
        )

    def draw_fit(
        self, rng: np.random.Generator, goods: Sequence[str], items: Sequence[DefectImage]
    ) -> Fit | None:
        """One of ``items`` somewhere on one of ``goods``; None if none of :data:`ATTEMPTS` fits."""
        for _ in range(ATTEMPTS):
            good = goods[int(rng.integers(len(goods)))]
            item = items[int(rng.integers(len(items)))]
            try:
                where = place(rng, self.defect(item)[1], self.inside(good))
            except PlacementFault:
                continue
            return Fit(good=good, item=item, where=where)
        return None
