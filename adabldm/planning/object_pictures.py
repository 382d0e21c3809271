"""One object's pictures, at their own size or at one: good ones, defects, where an object lies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from adabldm.core import images, trimap
from adabldm.core.byte_cache import ByteCache
from adabldm.core.data_uri import shown
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import read_defect_mask, read_picture
from adabldm.foreground.object_masks import ObjectMasks
from adabldm.placement.transform import Placement, PlacementFault, place

if TYPE_CHECKING:
    from adabldm.foreground.features import Features

ATTEMPTS = 8
"""Good pictures and defects that are tried for one pair."""


KEPT_BYTES = 512 << 20
"""Pictures and masks that are kept of one object."""


class PairFault(ValueError):
    """A data set from which a training example cannot be made; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A good picture, a real defect, and where the defect fits on the picture's object."""

    good: str
    item: DefectImage
    where: Placement


class ObjectPictures:
    """Pictures of ``folder`` at their own size, or brought to ``size`` x ``size`` pixels; those
    used last are kept. ``features`` find the object in them, those of the folder's own backbone by
    default. Shapes below are of a picture (H, W), both ``size`` if that is given."""

    def __init__(
        self, folder: ObjectFolder, size: int | None, features: Features | None = None
    ) -> None:
        self.folder = folder
        self._size = size
        self._masks = ObjectMasks(folder, features)
        self._kept = _nothing_kept()

    def __getstate__(self) -> dict[str, Any]:
        """Workers read for themselves; what is learnt from the good pictures travels."""
        return self.__dict__ | {"_kept": _nothing_kept()}

    @property
    def is_texture(self) -> bool:
        """Whether the object fills its pictures."""
        return self._masks.is_texture

    def good(self, uri: str) -> np.ndarray:
        """A good picture of the object, uint8 (H, W, 3)."""
        return self._once(("good", uri), lambda: self._sized(read_picture(uri)))

    def inside(self, uri: str) -> np.ndarray:
        """Where a defect may lie in the picture, uint8 (H, W), non-zero there."""
        return self._once(("inside", uri), lambda: self._inside(uri))

    def _inside(self, uri: str) -> np.ndarray:
        if self.is_texture:
            return np.full(self.good(uri).shape[:2], 255, np.uint8)
        mask = self._sized(self._masks.mask(uri))
        return (mask > 127).astype(np.uint8) * 255

    def defect(self, item: DefectImage) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 (H, W, 3) and mask uint8 (H, W); no defect is too thin to be kept."""
        return self.good(item.image), self._once(("mask", item), lambda: self._defect_mask(item))

    def _defect_mask(self, item: DefectImage) -> np.ndarray:
        mask = read_defect_mask(item.mask, item.mask_rule)
        if mask.shape != read_picture(item.image).shape[:2]:
            raise PairFault(f"{shown(item.mask)}: is not of the size of its picture {item.image}")
        marks = trimap.compose(mask)
        if self._size is not None:
            marks = trimap.resize(marks, self._size, self._size)
        return (marks == trimap.DEFECT).astype(np.uint8) * 255

    def _sized(self, pixels: np.ndarray) -> np.ndarray:
        return pixels if self._size is None else images.resize(pixels, self._size, self._size)

    def _once(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def trimap(self, defect: np.ndarray, uri: str) -> np.ndarray:
        """Trimap uint8 (H, W) of a ``defect`` (H, W), non-zero there, on the picture at ``uri``."""
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


def _nothing_kept() -> ByteCache[Hashable, np.ndarray]:
    return ByteCache(KEPT_BYTES, _nbytes)


def _nbytes(pixels: np.ndarray) -> int:
    return pixels.nbytes
