"""Where the object is in the good pictures of one product, and whether there is one at all.

As the foreground predictor of CPR (Li et al., "Target before Shooting: Accurate Anomaly Detection
and Localization under One Millisecond via Cascade Patch Retrieval", 2023): features of a few
dozen good pictures are clustered; clusters that reach the border are ground, those that stay in
the middle are object; a linear discriminant learnt from this tells the two apart in any picture
of the product. Ours adds colour to the features, measures both from each picture's own border,
and moves the outline to the picture's edges (:mod:`adabldm.foreground.refine`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image
from scipy.cluster.vq import kmeans2
from skimage.color import rgb2lab

from adabldm.core.objects import Surface
from adabldm.foreground import refine
from adabldm.foreground.features import EncoderFeatures, Features

T = TypeVar("T")

PICTURES = 30
"""Good pictures that a product's foreground is learned from."""

CELLS = 1500
"""Places of a picture that are clustered."""

CLUSTERS = 12
DIMENSIONS = 16
"""Principal directions of the features in which places are clustered."""

RING = 0.04
"""Width of the border, as a share of the shorter side."""

KEEPS_OFF, BELONGS = 0.3, 0.8
"""How often a cluster is at the border, over how often it is everywhere: below the first it is
object, above the second ground; between (a shaded ground, an object that the picture cuts) it is
what the nearest decided cluster is."""

SHRINKAGE = 0.01
"""Share of the mean variance that is added to each feature's within-class variance."""

LEAST_AREA, MOST_AREA = 0.003, 0.97
"""Shares of a picture that an object fills."""

MOST_BORDER = 0.5
"""An object covers at most this part of the border."""

LEAST_SEPARATION = 2.0
"""Distance of the two classes' means in the discriminant, in standard deviations of each."""


def _ring(height: int, width: int) -> np.ndarray:
    """The border's places, bool (height, width)."""
    thick = max(1, round(RING * min(height, width)))
    ring = np.ones((height, width), bool)
    ring[thick:-thick, thick:-thick] = False
    return ring


def _look(image: np.ndarray, features: Features) -> np.ndarray:
    """Features and CIELAB colour of every place, from the border's median; float (h, w, C + 3)."""
    found = features(image)
    height, width = found.shape[:2]
    picture = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    places = np.concatenate([found, rgb2lab(np.asarray(picture)).astype(np.float32)], axis=2)
    return places - np.median(places[_ring(height, width)], axis=0)


@dataclass(frozen=True, kw_only=True)
class Discriminant:
    """A place with features ``x`` is object where ``x @ weights > offset``; (C,) and a number."""

    weights: np.ndarray
    offset: float

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Score of places (..., C): above 0 is object."""
        score: np.ndarray = places @ self.weights - self.offset
        return score


def _fisher(places: np.ndarray, is_object: np.ndarray) -> Discriminant:
    """Fisher's linear discriminant of places (N, C) in two classes; the threshold is midway."""
    means = places[is_object].mean(axis=0), places[~is_object].mean(axis=0)
    rest = places - np.where(is_object[:, None], *means)
    within = rest.T @ rest / len(rest)
    within += np.eye(len(within)) * SHRINKAGE * np.trace(within) / len(within)
    weights = np.linalg.solve(within, means[0] - means[1])
    return Discriminant(weights=weights, offset=float((means[0] + means[1]) @ weights / 2))


def _separation(scores: np.ndarray) -> float:
    """How far the two sides of 0 lie apart, in their own standard deviations."""
    inside, outside = scores[scores > 0], scores[scores <= 0]
    if not len(inside) or not len(outside):
        return 0.0
    spread = np.sqrt((inside.var() + outside.var()) / 2)
    return float((inside.mean() - outside.mean()) / max(spread, 1e-9))


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


def _learn(looks: Sequence[np.ndarray]) -> Discriminant | None:
    """The discriminant of a product's pictures (h, w, C) each; None if no cluster is an object."""
    rng = np.random.default_rng(0)
    samples, at_border = [], []
    for look in looks:
        flat = look.reshape(-1, look.shape[2])
        chosen = rng.choice(len(flat), min(len(flat), CELLS), replace=False)
        samples.append(flat[chosen])
        at_border.append(_ring(*look.shape[:2]).ravel()[chosen])
    places = np.concatenate(samples).astype(np.float64)
    border = np.concatenate(at_border)
    scale = places.std(axis=0)
    if not (scale > 1e-6).any():
        return None
    scale = np.where(scale > 1e-6, scale, np.inf)
    mean = places.mean(axis=0)
    standard = (places - mean) / scale
    _, directions = np.linalg.eigh(standard.T @ standard)
    reduced = standard @ directions[:, ::-1][:, :DIMENSIONS]
    centres, cluster = kmeans2(reduced, CLUSTERS, minit="++", iter=15, rng=0, missing="warn")
    everywhere = np.bincount(cluster, minlength=CLUSTERS) / len(cluster)
    on_border = np.bincount(cluster[border], minlength=CLUSTERS) / border.sum()
    kinds = _kinds(centres, on_border / np.maximum(everywhere, 1e-9))
    if kinds is None:
        return None
    is_object = kinds[cluster]
    found = _fisher(standard, is_object)
    scores = found(standard)
    if _separation(scores) < LEAST_SEPARATION:
        return None
    weights = found.weights / scale
    return Discriminant(weights=weights, offset=float(found.offset + mean @ weights))


@dataclass(frozen=True, kw_only=True)
class ForegroundPredictor:
    """Object masks for one product's pictures; ``surface`` says whether it has an outline.

    Small and picklable: the features are named, not held.
    """

    surface: Surface
    features: Features
    discriminant: Discriminant | None = None

    def mask(self, image: np.ndarray) -> np.ndarray:
        """The object of uint8 (H, W, 3): uint8 (H, W) of 0 / 255, without holes.

        A texture is all 255. All 0 if no object is found in an object's picture.
        """
        if self.surface == "texture" or self.discriminant is None:
            return np.full(image.shape[:2], 255, np.uint8)
        coarse = refine.cleaned(self.discriminant(_look(image, self.features)) > 0)
        return refine.refine(image, coarse).astype(np.uint8) * 255


def _shows_object(mask: np.ndarray) -> bool:
    inside = mask > 0
    on_border = float(inside[_ring(*inside.shape)].mean())
    return LEAST_AREA <= float(inside.mean()) <= MOST_AREA and on_border <= MOST_BORDER


def evenly(pictures: Sequence[T]) -> list[T]:
    """The :data:`PICTURES` of a product's good pictures that its foreground is learned from, in
    order and spread over all; all, if there are no more."""
    count = min(len(pictures), PICTURES)
    return [pictures[i * len(pictures) // count] for i in range(count)]


def fit_foreground(
    images: Sequence[np.ndarray], features: Features | None = None
) -> ForegroundPredictor:
    """Learn one product's foreground from a few dozen good pictures, uint8 (H, W, 3) each.

    ``features`` are those of the encoder in the package by default. At most :data:`PICTURES` of
    the pictures are used, see :func:`evenly`; the same pictures give the same predictor. A product
    is a texture when no cluster of its features keeps off the border, or most of its pictures show
    no bounded object.
    Raises ``ValueError`` without a picture.
    """
    if not images:
        raise ValueError("images: there is none: at least one good picture is needed")
    features = features or EncoderFeatures()
    chosen = evenly(images)
    texture = ForegroundPredictor(surface="texture", features=features)
    discriminant = _learn([_look(image, features) for image in chosen])
    if discriminant is None:
        return texture
    predictor = ForegroundPredictor(surface="object", features=features, discriminant=discriminant)
    shown = sum(_shows_object(predictor.mask(image)) for image in chosen)
    return predictor if 2 * shown > len(chosen) else texture
