"""Places of a picture, what they look like, and a line between two kinds of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.color import rgb2lab

from adabldm.foreground.features import Features

CELLS = 1500
"""Places of a picture that are clustered."""

DIMENSIONS = 16
"""Principal directions of the features in which places are clustered."""

RING = 0.04
"""Width of the border, as a share of the shorter side."""

SHRINKAGE = 0.01
"""Share of the mean variance that is added to each feature's within-class variance."""


def ring(height: int, width: int) -> np.ndarray:
    """The border's places, bool (height, width)."""
    thick = max(1, round(RING * min(height, width)))
    inner = np.ones((height, width), bool)
    inner[thick:-thick, thick:-thick] = False
    return inner


def look(image: np.ndarray, features: Features) -> np.ndarray:
    """Features and CIELAB colour of every place of uint8 (H, W, 3): float32 (h, w, C + 3)."""
    found = features(image)
    height, width = found.shape[:2]
    picture = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    return np.concatenate([found, rgb2lab(np.asarray(picture)).astype(np.float32)], axis=2)


def from_border(seen: np.ndarray) -> np.ndarray:
    """``seen`` (h, w, C), measured from the median of its own border."""
    away: np.ndarray = seen - np.median(seen[ring(*seen.shape[:2])], axis=0)
    return away


@dataclass(frozen=True, kw_only=True)
class Discriminant:
    """A place with features ``x`` is object where ``x @ weights > offset``; (C,) and a number."""

    weights: np.ndarray
    offset: float

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Score of places (..., C): above 0 is object."""
        score: np.ndarray = places @ self.weights - self.offset
        return score

    def turned(self) -> Discriminant:
        """The one by which object is ground, and ground object."""
        return Discriminant(weights=-self.weights, offset=-self.offset)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Some places of a product's pictures, standardised, and the way back.

    ``standard`` (N, C); ``directions`` (C, D) are the first principal ones; ``border`` (N,) says
    which places lie there.
    """

    standard: np.ndarray
    directions: np.ndarray
    border: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, looks: Sequence[np.ndarray]) -> Sample | None:
        """Of pictures (h, w, C); None if all places look the same."""
        rng = np.random.default_rng(0)
        samples, at_border = [], []
        for seen in looks:
            flat = seen.reshape(-1, seen.shape[2])
            chosen = rng.choice(len(flat), min(len(flat), CELLS), replace=False)
            samples.append(flat[chosen])
            at_border.append(ring(*seen.shape[:2]).ravel()[chosen])
        places = np.concatenate(samples).astype(np.float64)
        scale = places.std(axis=0)
        if not (scale > 1e-6).any():
            return None
        scale = np.where(scale > 1e-6, scale, np.inf)
        mean = places.mean(axis=0)
        standard = (places - mean) / scale
        _, directions = np.linalg.eigh(standard.T @ standard)
        return cls(
            standard=standard,
            directions=directions[:, ::-1][:, :DIMENSIONS],
            border=np.concatenate(at_border),
            mean=mean,
            scale=scale,
        )

    @property
    def reduced(self) -> np.ndarray:
        """The places along the principal directions, (N, D)."""
        along: np.ndarray = self.standard @ self.directions
        return along

    def raw(self, found: Discriminant) -> Discriminant:
        """``found`` of standardised places, for places as they are."""
        weights = found.weights / self.scale
        return Discriminant(weights=weights, offset=float(found.offset + self.mean @ weights))


def fisher(places: np.ndarray, is_object: np.ndarray) -> Discriminant:
    """Fisher's linear discriminant of places (N, C) in two classes; the threshold is midway."""
    means = places[is_object].mean(axis=0), places[~is_object].mean(axis=0)
    rest = places - np.where(is_object[:, None], *means)
    within = rest.T @ rest / len(rest)
    within += np.eye(len(within)) * SHRINKAGE * np.trace(within) / len(within)
    weights = np.linalg.solve(within, means[0] - means[1])
    return Discriminant(weights=weights, offset=float((means[0] + means[1]) @ weights / 2))


def separation(scores: np.ndarray, inside: np.ndarray) -> float:
    """How far two classes of scores lie apart, in their own standard deviations."""
    one, other = scores[inside], scores[~inside]
    if not len(one) or not len(other):
        return 0.0
    spread = np.sqrt((one.var() + other.var()) / 2)
    return float((one.mean() - other.mean()) / max(spread, 1e-9))
