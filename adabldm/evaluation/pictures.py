"""What detectors learn from: pictures with their defects, read where and when they are needed.

A picture is told by URIs and recipes alone, so that a task on another machine can read it; the same
picture has the same pixels wherever it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from adabldm.core import images, random_streams
from adabldm.core.objects import DefectImage
from adabldm.core.picture_uri import DatasetFault, read_defect_mask, read_mask, read_picture
from adabldm.evaluation.baselines import cut_paste, perlin, poisson

Baseline = Literal["cutpaste", "perlin", "poisson"]
BASELINES: tuple[Baseline, ...] = ("cutpaste", "perlin", "poisson")

Shown = tuple[np.ndarray, np.ndarray]
"""A picture, uint8 (H, W, 3), and its defect, bool (H, W)."""

DONORS_KEPT = 64
"""Real defects that a process keeps in memory."""


class TrainingPicture(Protocol):
    """A picture of a type of ``defect``, None of a good one; ``key`` is unique among all."""

    @property
    def defect(self) -> str | None: ...

    @property
    def key(self) -> str: ...

    def read(self) -> Shown:
        """Its pixels and its defect. Raises :class:`DatasetFault` naming what cannot be read."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A picture (URI) of a data set, with all of its ``masks``; a good one has none."""

    image: str
    defect: str | None = None
    masks: tuple[DefectImage, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.image} {self.defect}"

    def read(self) -> Shown:
        """As :class:`TrainingPicture`."""
        picture = read_picture(self.image)
        marked = np.zeros(picture.shape[:2], bool)
        for one in self.masks:
            mask = read_defect_mask(one.mask, one.mask_rule) > 0
            _refuse_other_size(one.mask, mask, picture)
            marked |= mask
        return picture, marked


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A generated pair: ``image`` and its published ``mask``; ``asked`` is the mask that was asked
    for, ``source`` the good picture that it was drawn on (None: nobody knows where it is), and
    ``foreground`` the object's mask there, where there is one. All are URIs."""

    request_id: str
    defect: str
    image: str
    mask: str
    asked: str
    source: str | None = None
    foreground: str | None = None

    @property
    def key(self) -> str:
        return f"pair {self.image}"

    def read(self) -> Shown:
        """As :class:`TrainingPicture`."""
        picture = read_picture(self.image)
        mask = read_mask(self.mask) > 0
        _refuse_other_size(self.mask, mask, picture)
        return picture, mask


@dataclass(frozen=True, kw_only=True)
class Spoiled:
    """The good picture of a ``pair`` with a defect of another ``kind`` where the pair's was asked
    for: of real ``donors`` of its type, or of ``textures``, good pictures (URIs)."""

    kind: Baseline
    pair: Pair
    donors: tuple[DefectImage, ...] = ()
    textures: tuple[str, ...] = ()

    @property
    def defect(self) -> str:
        return self.pair.defect

    @property
    def key(self) -> str:
        return f"{self.kind} {self.pair.image} {len(self.donors)}"

    def read(self) -> Shown:
        """As :class:`TrainingPicture`."""
        assert self.pair.source is not None  # noqa: S101
        good = read_picture(self.pair.source)
        asked = read_mask(self.pair.asked)
        if asked.shape != good.shape[:2]:  # drawn on the picture made smaller
            asked = images.resize(asked, *good.shape[:2])
        asked = asked > asked.max() // 2
        if not asked.any():
            raise DatasetFault(f"{self.pair.asked}: marks no pixel")
        rng = random_streams.stream(0, f"{self.kind} {self.pair.request_id}")
        if self.kind == "cutpaste":
            return cut_paste.spoil(good, [_donor(one) for one in self.donors], asked)
        texture = read_picture(self.textures[int(rng.integers(len(self.textures)))])
        if self.kind == "poisson":
            return poisson.spoil(rng, good, texture, asked)
        inside = np.ones(asked.shape, bool)
        if self.pair.foreground is not None:
            inside = read_mask(self.pair.foreground) > 0
        shape = perlin.shape_at(rng, asked, inside)
        return perlin.blend(rng, good, images.resize(texture, *good.shape[:2]), shape), shape


@lru_cache(DONORS_KEPT)
def _donor(item: DefectImage) -> cut_paste.Donor:
    mask = read_defect_mask(item.mask, item.mask_rule) > 0
    picture = read_picture(item.image)
    _refuse_other_size(item.mask, mask, picture)
    return cut_paste.Donor(picture, mask)


def _refuse_other_size(uri: str, mask: np.ndarray, picture: np.ndarray) -> None:
    if mask.shape != picture.shape[:2]:
        (height, width), (rows, cols) = picture.shape[:2], mask.shape
        raise DatasetFault(f"{uri}: is {cols} x {rows}, its picture is {width} x {height}")
