"""How far a drawn defect is from the few real ones of its type, in the features of a network.

A defect is told by how it differs from the band around it: the energy of the difference, its own
roughness, and the direction of the difference, for each feature. 1 is as far as the real ones are
from each other, 3 three times farther.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation

from adabldm.core import trimap
from adabldm.placement.transform import bounding_box

Features = Callable[[np.ndarray], np.ndarray]
"""What is seen at the places of a picture, uint8 (H, W, 3): float (h, w, C)."""

METHOD = 1
"""Raised whenever the same defect gives another descriptor than before."""

CONTEXT = 2.0
"""A crop's side, over the longer side of its defect's box."""

LEAST_SIDE = 48
"""Of a crop, in pixels."""

BAND = 1 / 12
"""Width of the band around a defect, as a share of the shorter side of what is seen."""

FAINT = 0.05
"""Of the band's mean deviation, below which nothing is told from nothing."""

PRIOR = 5
"""Real defects as which the mean spread counts, when that of one figure is estimated."""


def crop(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A square around the defect, cut where the picture ends: of uint8 (H, W, 3) and of (H, W),
    non-zero inside. Raises :class:`~adabldm.placement.transform.PlacementFault` without one."""
    window = surroundings(*bounding_box(mask), mask.shape)
    return image[window], mask[window]


def surroundings(rows: slice, cols: slice, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The window that :func:`crop` cuts around a defect's box from a picture (H, W, ...)."""
    longer = max(rows.stop - rows.start, cols.stop - cols.start)
    side = max(LEAST_SIDE, round(CONTEXT * longer))

    def span(box: slice, size: int) -> slice:
        start = max(0, min(round((box.start + box.stop - side) / 2), size - side))
        return slice(start, min(size, start + side))

    return span(rows, shape[0]), span(cols, shape[1])


def descriptor(seen: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What a defect looks like beside its surroundings: float32 (3 C,), about 1 being much.

    ``seen`` (h, w, C) of a crop, ``mask`` (H, W) of the same crop, non-zero inside. Raises
    ``ValueError`` for an empty mask.
    """
    if not mask.any():
        raise ValueError("mask: no pixel: must mark the defect")
    height, width = seen.shape[:2]
    share, near = _cells(mask, height, width)
    inside = seen.reshape(-1, seen.shape[2]).astype(np.float64)
    mean = share.ravel() @ inside
    spread = np.sqrt(np.maximum(share.ravel() @ inside**2 - mean**2, 0))
    around = seen[near].astype(np.float64)
    ground, rough = around.mean(axis=0), around.std(axis=0)
    least = (0.01 + FAINT * rough.mean()) ** 2
    away = (mean - ground) ** 2
    figures = [
        np.log((spread**2 + away + least) / (rough**2 + least)),
        np.log(spread**2 + least) / 2,
        (mean - ground) / np.sqrt(spread**2 + rough**2 + least),
    ]
    return np.concatenate(figures).astype(np.float32)


def _cells(mask: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """How much of the defect is in each cell, (h, w) of sum 1, and the band, bool (h, w)."""
    pixels = Image.fromarray((mask > 0).astype(np.uint8) * 255)
    share = np.asarray(pixels.resize((width, height), Image.Resampling.BOX), np.float64)
    if not share.any():
        small = trimap.resize(trimap.compose(mask), height, width)
        share = (small == trimap.DEFECT).astype(np.float64)
    inside = share > 0
    reach = max(3, int(BAND * min(height, width)))
    band = binary_dilation(inside, iterations=reach) & ~binary_dilation(inside)
    if not band.any():  # the crop is all defect
        band = ~inside if not inside.all() else inside
    return share / share.sum(), band


@dataclass(frozen=True, kw_only=True)
class RealDefects:
    """The real defects of one type: ``descriptors`` (K, 3 C), K >= 1, and the specimen of each
    (``groups``). ``features`` see new ones."""

    descriptors: np.ndarray
    groups: tuple[str, ...]
    features: Features = field(repr=False, compare=False)

    @classmethod
    def of(
        cls,
        crops: Sequence[tuple[np.ndarray, np.ndarray]],
        features: Features,
        groups: Sequence[str] | None = None,
    ) -> RealDefects:
        """From :func:`crop` of each, image uint8 (H, W, 3) and mask (H, W); without ``groups``
        each is a specimen of its own. Raises ``ValueError`` if there is none."""
        if not crops:
            raise ValueError("crops: there is none: at least one real defect is needed")
        found = [descriptor(features(image), mask) for image, mask in crops]
        names = tuple(groups) if groups is not None else tuple(map(str, range(len(found))))
        return cls(descriptors=np.stack(found), groups=names, features=features)

    def distance(self, image: np.ndarray, mask: np.ndarray) -> float:
        """Of the defect of a :func:`crop`, uint8 (H, W, 3) and (H, W), from the real ones: the
        median real one, seen from those of other specimens, is 1 away.

        A type of one real defect has no such measure; there 1 is the features' own unit.
        """
        return self.distance_of(descriptor(self.features(image), mask))

    def distance_of(self, described: np.ndarray) -> float:
        """As :meth:`distance`, of a :func:`descriptor`."""
        return _distance(described, self.descriptors) / self._unit

    @cached_property
    def _unit(self) -> float:
        groups = np.array(self.groups)
        if len(set(self.groups)) == 1:
            groups = np.arange(len(groups))
        if len(groups) == 1:
            return 1.0
        apart = [
            _distance(one, self.descriptors[groups != group])
            for one, group in zip(self.descriptors, groups, strict=True)
        ]
        return max(float(np.median(apart)), 1e-6)


def _distance(one: np.ndarray, others: np.ndarray) -> float:
    """Mahalanobis' distance of (F,) from the mean of ``others`` (K, F), with a diagonal covariance
    shrunk to each family's mean, root mean square over the figures."""
    count = len(others)
    variance = others.var(axis=0) * count / max(1, count - 1)
    families = np.array_split(variance, 3)
    # One real defect of unit spread is always added, or two alike would make all others far.
    means = [((count - 1) * family.mean() + 1) / count for family in families]
    target = np.repeat(means, [len(family) for family in families])
    shrunk = (count * variance + PRIOR * target) / (count + PRIOR)
    away = one.astype(np.float64) - others.mean(axis=0)
    return float(np.sqrt(np.mean(away**2 / shrunk)))
