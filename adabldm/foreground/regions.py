"""Objects that span their pictures or are cut by the border: two regions, one of them ground.

Places of all pictures are clustered by what they look like, wherever they are; of all ways to
make two regions of the clusters, the one whose regions lie furthest apart is taken. A texture has
no such regions. Which of the two is the ground is another question, see
:mod:`adabldm.foreground.ground`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.cluster.vq import kmeans2
from scipy.ndimage import median_filter

from adabldm.foreground.places import Discriminant, Sample, fisher, separation

CLUSTERS = (2, 3, 4)
LEAST_SHARE = 0.03
"""Of a picture, that each region must have for the picture to show both."""

LEAST_COLOUR = 0.5
"""Deviation of CIELAB colours below which pictures show nothing."""

SPECK = 5
"""Specks narrower than this many places belong to the region around them."""


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Two regions of a product's pictures: where ``discriminant`` of a smoothed place is above 0,
    and the rest. ``masks`` are those places of each picture, bool (h, w); ``separation`` is the
    regions' distance in the median picture, in standard deviations of each."""

    discriminant: Discriminant
    masks: Sequence[np.ndarray]
    separation: float

    def turned(self) -> Regions:
        """The same with the other region."""
        return replace(
            self, discriminant=self.discriminant.turned(), masks=[~mask for mask in self.masks]
        )


def smoothed(seen: np.ndarray) -> np.ndarray:
    """Places (h, w, C), each with what is around it."""
    state = torch.from_numpy(np.ascontiguousarray(seen, np.float32)).permute(2, 0, 1)[None]
    for _ in range(2):
        state = F.avg_pool2d(state, 3, 1, 1, count_include_pad=False)
    return state[0].permute(1, 2, 0).numpy()


def region(discriminant: Discriminant, smooth: np.ndarray) -> np.ndarray:
    """Where the discriminant of smoothed places (h, w, C) is above 0, without specks."""
    return _despeckled(discriminant(smooth))


def _despeckled(scores: np.ndarray) -> np.ndarray:
    clean: np.ndarray = median_filter((scores > 0).astype(np.uint8), SPECK) > 0
    return clean


def shows_both(mask: np.ndarray) -> bool:
    """Whether neither side of a mask is a mere rest."""
    return LEAST_SHARE < float(mask.mean()) < 1 - LEAST_SHARE


def divide(looks: Sequence[np.ndarray]) -> list[Regions]:
    """The best two regions of a product's pictures (h, w, C) for each number of clusters; those
    that lie furthest apart come first."""
    if max(float(seen[..., -3:].std(axis=(0, 1)).max()) for seen in looks) < LEAST_COLOUR:
        return []
    smooth = [smoothed(seen) for seen in looks]
    sample = Sample.of(smooth)
    if sample is None:
        return []
    found = []
    for count in CLUSTERS:
        made = (_regions(sample, smooth, half) for half in _halves(sample.reduced, count))
        best = max(made, key=lambda one: one.separation, default=None)
        if best is not None:
            found.append(best)
    return sorted(found, key=lambda one: -one.separation)


def _halves(places: np.ndarray, clusters: int) -> Iterator[np.ndarray]:
    """Every way to make two classes of the clusters of places (N, D), bool (N,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty cluster is one way less
        _, cluster = kmeans2(places, clusters, minit="++", iter=30, rng=0, missing="warn")
    for bits in range(1, 2 ** (clusters - 1)):
        inside = (bits >> np.arange(clusters) & 1).astype(bool)[cluster]
        if shows_both(inside):
            yield inside


def _regions(sample: Sample, smooth: Sequence[np.ndarray], inside: np.ndarray) -> Regions:
    # The directions that are left out are noise, which the within-class variance would fit.
    along = fisher(sample.reduced, inside)
    found = sample.raw(replace(along, weights=sample.directions @ along.weights))
    masks, apart = [], []
    for seen in smooth:
        scores = found(seen)
        masks.append(_despeckled(scores))
        apart.append(separation(scores, masks[-1]) if shows_both(masks[-1]) else 0.0)
    return Regions(discriminant=found, masks=masks, separation=float(np.median(apart)))
