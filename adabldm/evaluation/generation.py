"""How generated defects compare with real ones they were not made from, on a network's features.

All is seen of squares around the defects (:func:`adabldm.judging.likeness.crop`), brought to
:data:`SIDE` pixels: whole pictures would tell good ground from good ground. The distance is KID
(Binkowski et al., ICLR 2018), diversity the mean distance of two pictures in LPIPS's way (Zhang et
al., CVPR 2018) without learned weights, and IC-LPIPS (Ojha et al., CVPR 2021) the same among the
pictures that are nearest to one real defect, where copies of the real ones would show. Figures
depend on the features: name those beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from adabldm.core import images
from adabldm.core.ahead import ahead
from adabldm.core.objects import DefectImage
from adabldm.core.picture_uri import DatasetFault, read_defect_mask, read_mask, read_picture
from adabldm.evaluation.pictures import Pair
from adabldm.judging.distribution import (
    FEWEST,
    kernel_distance,
    mean_distance,
    perceptual_distances,
)
from adabldm.judging.likeness import crop

SIDE = 128
"""Pixels of what a network sees of a defect."""
MOST = 1000
"""Pictures a type and kind; of more, those whose names' hashes come first. Every two of them are
compared: 0.2 GB of features a kind with ``lite0``."""
BATCH = 16

Extractor = Callable[[np.ndarray], list[np.ndarray]]
"""Pictures, uint8 (N, S, S, 3), to the features of some layers, float32 (N, C, h, w), the coarsest
last."""


@dataclass(frozen=True, kw_only=True)
class GenerationFigures:
    """Of one type. ``kid`` is between ``pairs`` generated and ``real`` held-out defects, with its
    standard error; ``kid_of_few`` between the ``few`` real defects and the held-out ones, which is
    how far real ones are from real ones. ``diversity`` is of the pairs, ``diversity_of_real`` of
    the held-out ones; ``ic_diversity`` is of pairs nearest to the same one of the few, mean over
    the ``clusters`` that have two of them. None where there are too few pictures."""

    kid: float | None
    kid_error: float | None
    kid_of_few: float | None
    diversity: float | None
    diversity_of_real: float | None
    ic_diversity: float | None
    clusters: int
    pairs: int
    real: int
    few: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


COUNTS = ("clusters", "pairs", "real", "few")


def mean_figures(several: Sequence[GenerationFigures]) -> GenerationFigures:
    """The mean over types, of each figure over those where it is defined; counts are summed, and
    the standard error is that of the mean."""

    def joined(name: str) -> float | int | None:
        values = [value for one in several if (value := getattr(one, name)) is not None]
        if name in COUNTS:
            return sum(values)
        if not values:
            return None
        return float(
            np.linalg.norm(values) / len(values) if name == "kid_error" else np.mean(values)
        )

    return GenerationFigures(**{one.name: joined(one.name) for one in fields(GenerationFigures)})  # type: ignore[arg-type]


def kept(names: Sequence[str], most: int = MOST) -> list[int]:
    """Which of ``names`` are looked at: all, or ``most`` by their hashes, in order."""
    if len(names) <= most:
        return list(range(len(names)))
    ranks = sorted(range(len(names)), key=lambda i: hashlib.sha256(names[i].encode()).digest())
    return sorted(ranks[:most])


def crop_of_pair(pair: Pair) -> np.ndarray:
    """The generated defect, uint8 (SIDE, SIDE, 3). Raises :class:`DatasetFault`."""
    return _crop(pair.mask, read_picture(pair.image), read_mask(pair.mask))


def crop_of_real(item: DefectImage) -> np.ndarray:
    """As :func:`crop_of_pair`."""
    mask = read_defect_mask(item.mask, item.mask_rule)
    return _crop(item.mask, read_picture(item.image), mask)


def _crop(name: str, picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if mask.shape != picture.shape[:2]:
        (rows, cols), (height, width) = mask.shape, picture.shape[:2]
        raise DatasetFault(f"{name}: is {cols} x {rows}, its picture is {width} x {height}")
    if not mask.any():
        raise DatasetFault(f"{name}: marks no pixel")
    return images.resize(np.ascontiguousarray(crop(picture, mask)[0]), SIDE, SIDE)


@dataclass(frozen=True)
class Seen:
    """Features of N pictures: ``layers``, float32 (N, C, h, w), the coarsest last."""

    layers: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.layers[0]) if self.layers else 0

    @property
    def pooled(self) -> np.ndarray:
        """Means over places of the coarsest layer, (N, C)."""
        return self.layers[-1].mean(axis=(2, 3))


def see(
    extract: Extractor, crops: Sequence[Callable[[], np.ndarray]], tick: Callable[[], None]
) -> Seen:
    """The features of what ``crops`` give, read a little ahead; ``tick`` counts them."""
    parts: list[list[np.ndarray]] = []
    waiting: list[np.ndarray] = []
    for number, one in enumerate(ahead(lambda read: read(), crops), 1):
        waiting.append(one)
        if len(waiting) == BATCH or number == len(crops):
            parts.append(extract(np.stack(waiting)))
            waiting = []
        tick()
    return Seen([np.concatenate(layer) for layer in zip(*parts, strict=True)])


def figures(pairs: Seen, real: Seen, few: Seen) -> GenerationFigures:
    """Of one type's ``pairs``, beside the held-out ``real`` and the ``few`` defects.

    Features for KID are divided by the root mean square of the real ones', so that its kernel is of
    order one whatever the network.
    """
    kid = of_few = None
    if min(len(pairs), len(real)) >= FEWEST:
        unit = _unit(real)
        kid = kernel_distance(pairs.pooled / unit, real.pooled / unit)
        if len(few) >= FEWEST:
            of_few = kernel_distance(few.pooled / unit, real.pooled / unit).value
    apart = _apart(pairs)
    ic, clusters = (None, 0) if apart is None else ic_diversity(apart, nearest(pairs, few))
    real_apart = _apart(real)
    return GenerationFigures(
        kid=None if kid is None else kid.value,
        kid_error=None if kid is None else kid.standard_error,
        kid_of_few=of_few,
        diversity=None if apart is None else mean_distance(apart),
        diversity_of_real=None if real_apart is None else mean_distance(real_apart),
        ic_diversity=ic,
        clusters=clusters,
        pairs=len(pairs),
        real=len(real),
        few=len(few),
    )


def _unit(real: Seen) -> float:
    return max(float(np.sqrt(np.mean(real.pooled.astype(np.float64) ** 2))), 1e-12)


def _apart(seen: Seen) -> np.ndarray | None:
    return perceptual_distances(seen.layers) if len(seen) >= 2 else None


def nearest(pairs: Seen, few: Seen) -> np.ndarray:
    """Of each pair the nearest of the few, int (N,); empty without them."""
    if not len(few):
        return np.empty(0, int)
    both = [np.concatenate(layers) for layers in zip(pairs.layers, few.layers, strict=True)]
    return perceptual_distances(both)[: len(pairs), len(pairs) :].argmin(axis=1)


def ic_diversity(distances: np.ndarray, owner: np.ndarray) -> tuple[float | None, int]:
    """The mean distance within the clusters that ``owner`` (N,) tells, of ``distances`` (N, N),
    mean over those of two or more, and how many these are."""
    found = []
    for number in np.unique(owner):
        members = np.flatnonzero(owner == number)
        if len(members) >= 2:
            found.append(mean_distance(distances[np.ix_(members, members)]))
    return (float(np.mean(found)) if found else None), len(found)
