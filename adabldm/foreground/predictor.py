"""Where the object is in the good pictures of one product, and whether there is one at all.

Two ways to look lead to three verdicts. Objects within their pictures are found by what keeps off
the border (:mod:`adabldm.foreground.bounded`), objects that span them or are cut by the border as
one of two regions (:mod:`adabldm.foreground.regions`), if it can be told which of them is the
ground. A product is a texture where neither finds anything; what lies between is doubtful, and
refused. The outline is then moved to the picture's edges (:mod:`adabldm.foreground.refine`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from adabldm.core.objects import Surface
from adabldm.foreground import bounded, ground, holes, places, refine, regions
from adabldm.foreground.edges import median_sharpness
from adabldm.foreground.features import EncoderFeatures, Features
from adabldm.foreground.places import Discriminant
from adabldm.foreground.regions import Regions

T = TypeVar("T")

PICTURES = 30
"""Good pictures that a product's foreground is learned from."""

LEAST_AREA, MOST_AREA = 0.003, 0.97
"""Shares of a picture that an object fills."""

MOST_BORDER = 0.1
"""A bounded object covers at most this part of the border."""

CERTAIN, PLAIN, SLIGHT = 9.0, 6.0, 5.0
"""Regions that are so far apart, in standard deviations of each, are two things; are if there is
an edge between them; or may be if it is sharp."""

SHARP, SHARP_CELLS, HARDLY_SHARP, BLURRED = 2.5, 2.2, 1.5, 1.2
"""The slope on an object's outline, over that elsewhere; on the coarse outline of regions that may
be two things; of those that may be because they are slightly apart; of those plainly apart."""

LOOKED_AT = 8
"""Pictures whose edges are looked at."""

SAME = 0.7
"""Intersection over union of two masks of one thing."""


class DoubtfulForeground(ValueError):
    """Pictures that show two different things, of which neither is surely the ground."""


@dataclass(frozen=True, kw_only=True)
class ForegroundPredictor:
    """Object masks for one product's pictures; ``surface`` says whether it has an outline.

    ``spans`` says that the discriminant is one of regions, see :mod:`adabldm.foreground.regions`;
    ``pierced`` that the object has holes. Small and picklable: the features are named, not held.
    """

    surface: Surface
    features: Features
    discriminant: Discriminant | None = None
    spans: bool = False
    pierced: bool = False

    def mask(self, image: np.ndarray) -> np.ndarray:
        """The object of uint8 (H, W, 3): uint8 (H, W) of 0 / 255.

        Holes are not object where most of the product's pictures have some. A texture is all 255.
        All 0 if no object is found in an object's picture.
        """
        if self.surface == "texture" or self.discriminant is None:
            return np.full(image.shape[:2], 255, np.uint8)
        cells = self.cells(places.look(image, self.features))
        found = refine.refine(image, refine.cleaned(cells))
        if self.pierced:
            found &= ~holes.find(image, cells)
        return found.astype(np.uint8) * 255

    def cells(self, seen: np.ndarray) -> np.ndarray:
        """Where the object is among places (h, w, C) as they are seen, bool (h, w)."""
        assert self.discriminant is not None  # noqa: S101
        if self.spans:
            return regions.region(self.discriminant, regions.smoothed(seen))
        return self.discriminant(places.from_border(seen)) > 0


def evenly(pictures: Sequence[T], count: int = PICTURES) -> list[T]:
    """``count`` of a product's good pictures, in order and spread over all; all, if there are no
    more. Its foreground is learned from :data:`PICTURES`."""
    count = min(len(pictures), count)
    return [pictures[i * len(pictures) // count] for i in range(count)]


def fit_foreground(
    images: Sequence[np.ndarray], features: Features | None = None
) -> ForegroundPredictor:
    """Learn one product's foreground from a few dozen good pictures, uint8 (H, W, 3) each.

    ``features`` are those of the encoder in the package by default. At most :data:`PICTURES` of
    the pictures are used, see :func:`evenly`; the same pictures give the same predictor.
    Raises :class:`DoubtfulForeground` if the pictures show two things and it cannot be told which
    is the object, and ``ValueError`` without a picture.
    """
    if not images:
        raise ValueError("images: there is none: at least one good picture is needed")
    features = features or EncoderFeatures()
    chosen = evenly(images)
    looks = [places.look(image, features) for image in chosen]
    texture = ForegroundPredictor(surface="texture", features=features)
    within = _within(chosen, looks, features)
    halves = regions.divide(looks)
    best = halves[0] if halves else None
    if best is not None and _are_two(best, chosen):
        found = _of_regions(best, within, chosen, looks, features)
    elif within is not None:
        found = within
    elif best is None or not _may_be_two(halves, chosen):
        return texture
    else:
        found = None
    if found is None:
        raise DoubtfulForeground("two things are seen, and neither is surely the background")
    shown = evenly(list(zip(chosen, looks, strict=True)), LOOKED_AT)
    pierced = [bool(holes.find(image, found.cells(seen)).any()) for image, seen in shown]
    return replace(found, pierced=2 * sum(pierced) > len(pierced))


def _within(
    images: Sequence[np.ndarray], looks: Sequence[np.ndarray], features: Features
) -> ForegroundPredictor | None:
    """The predictor of an object that lies within its pictures; None if most show none."""
    discriminant = bounded.learn([places.from_border(seen) for seen in looks])
    if discriminant is None:
        return None
    found = ForegroundPredictor(surface="object", features=features, discriminant=discriminant)
    masks = [refine.cleaned(found.cells(seen)) for seen in looks]
    if 2 * sum(map(_is_bounded, masks)) <= len(masks):
        return None
    some = evenly(list(zip(images, masks, strict=True)), LOOKED_AT)
    fine = [(image, refine.refine(image, mask)) for image, mask in some]
    if 2 * sum(_is_bounded(mask) for _, mask in fine) <= len(fine):
        return None
    return found if median_sharpness(*zip(*fine, strict=True)) >= SHARP else None


def _is_bounded(mask: np.ndarray) -> bool:
    on_border = float(mask[places.ring(*mask.shape)].mean())
    return LEAST_AREA <= float(mask.mean()) <= MOST_AREA and on_border <= MOST_BORDER


def _of_regions(
    best: Regions,
    within: ForegroundPredictor | None,
    images: Sequence[np.ndarray],
    looks: Sequence[np.ndarray],
    features: Features,
) -> ForegroundPredictor | None:
    """The predictor of an object that is plainly one of two regions; None if it is not known
    which. An object ``within`` its pictures is taken where both ways find one."""
    turned = ground.object_first(best, images)
    if within is not None:
        masks = [refine.cleaned(within.cells(seen)) for seen in looks]
        sides = [best, best.turned()] if turned is None else [turned]
        if any(_same(masks, [refine.cleaned(m) for m in side.masks]) for side in sides):
            return within
        if turned is not None and sum(map(_is_bounded, turned.masks)) * 2 > len(looks):
            return within
    if turned is None:
        return None
    return ForegroundPredictor(
        surface="object", features=features, discriminant=turned.discriminant, spans=True
    )


def _same(some: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    shares = [(a & b).sum() / max((a | b).sum(), 1) for a, b in zip(some, others, strict=True)]
    return float(np.median(shares)) >= SAME


def _are_two(best: Regions, images: Sequence[np.ndarray]) -> bool:
    """Whether the regions are plainly two things. Beside a rough object no edge stands out."""
    if best.separation >= CERTAIN:
        return True
    return best.separation >= PLAIN and _edge(best, images) >= BLURRED


def _may_be_two(halves: Sequence[Regions], images: Sequence[np.ndarray]) -> bool:
    """Whether regions that are not plainly two things may be two."""
    return any(
        _edge(half, images) >= (HARDLY_SHARP if half.separation >= SLIGHT else SHARP_CELLS)
        for half in halves
    )


def _edge(found: Regions, images: Sequence[np.ndarray]) -> float:
    """How sharp the pictures are where the regions meet."""
    return median_sharpness(evenly(images, LOOKED_AT), evenly(found.masks, LOOKED_AT))
