"""Objects that lie within their pictures: what keeps off the border is object.

As the foreground predictor of CPR (Li et al., "Target before Shooting: Accurate Anomaly Detection
and Localization under One Millisecond via Cascade Patch Retrieval", 2023): features of a few
dozen good pictures are clustered; clusters that reach the border are ground, those that stay in
the middle are object; a linear discriminant learnt from this tells the two apart in any picture
of the product. Ours adds colour to the features, and measures both from each picture's border.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.vq import kmeans2

from adabldm.foreground.places import Discriminant, Sample, fisher, separation

CLUSTERS = 12

KEEPS_OFF, BELONGS = 0.3, 0.8
"""How often a cluster is at the border, over how often it is everywhere: below the first it is
object, above the second ground; between (a shaded ground, an object that the picture cuts) it is
what the nearest decided cluster is."""

LEAST_SEPARATION = 2.0
"""Distance of the two classes' means in the discriminant, in standard deviations of each."""


def _kinds(centres: np.ndarray, at_border: np.ndarray) -> np.ndarray | None:
    """Which clusters are object, bool (K,), of ``centres`` (K, D) and frequencies at the border,
    1 being as often as everywhere. None if one of the kinds is not there."""
    sure_object, sure_ground = at_border < KEEPS_OFF, at_border >= BELONGS
    if not sure_object.any() or not sure_ground.any():
        return None
    to_object, to_ground = (
        np.linalg.norm(centres[:, None] - centres[None, sure], axis=2).min(axis=1)
        for sure in (sure_object, sure_ground)
    )
    kinds: np.ndarray = sure_object | (~sure_ground & (to_object < to_ground))
    return kinds


def learn(looks: Sequence[np.ndarray]) -> Discriminant | None:
    """The discriminant of a product's pictures (h, w, C) each, measured from their borders; None
    if no cluster is an object."""
    sample = Sample.of(looks)
    if sample is None:
        return None
    centres, cluster = kmeans2(sample.reduced, CLUSTERS, minit="++", iter=15, rng=0, missing="warn")
    everywhere = np.bincount(cluster, minlength=CLUSTERS) / len(cluster)
    on_border = np.bincount(cluster[sample.border], minlength=CLUSTERS) / sample.border.sum()
    kinds = _kinds(centres, on_border / np.maximum(everywhere, 1e-9))
    if kinds is None:
        return None
    found = fisher(sample.standard, kinds[cluster])
    scores = found(sample.standard)
    if separation(scores, scores > 0) < LEAST_SEPARATION:
        return None
    return sample.raw(found)
