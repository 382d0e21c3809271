"""How alike places are to those where the few real defects of a type lie.

A conditional choice: of all places in its picture, a real defect has taken one. Fisher's
discriminant tells the surroundings taken from those left; a place is ``exp(sharpness * score)``
times as likely as the mean one, and a tenth of all defects lies anywhere. The sharpness is the one
that best foretells the real defects of each specimen from those of the others, two defects that
lie anywhere being added to them, less half a standard error: where the real places tell nothing, or
there are too few of them, it is 0 and every place is as likely as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adabldm.planning.place_map import ANYWHERE, packed, unpacked
from adabldm.planning.surroundings import Frame, everywhere

SHARPNESSES = np.array([0, 0.03, 0.06, 0.12, 0.18, 0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 2.8])

ADDED = 2
"""Defects that lie anywhere, added to the real ones."""

DOUBT = 0.5
"""Standard errors by which the foretelling is taken to be worse than it is."""

LEAST_SPECIMENS = 3
"""Specimens from which a type's places are learned."""

SHRINKAGE = 0.2
"""Of the correlations of the surroundings' figures, towards none."""

LEAST_OTHERS = 3
"""Other places that a real one is compared with; a defect as large as the object has none."""

ALIKE = 0.02
"""Of an object, the likeliest places that are equally likely: no map is a single spot."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The surroundings of a ``real`` defect (F,), and of the ``others`` (J, F), where its mask was
    set down in the same picture; ``group`` names the specimen, ``reach`` is half the width of
    the mask, in cells."""

    defect: str
    group: str
    real: np.ndarray
    others: np.ndarray
    reach: int


def _log_mean_exp(values: np.ndarray) -> np.ndarray:
    """Of (S, N) over N: (S,)."""
    most = values.max(axis=1)
    mean: np.ndarray = most + np.log(np.exp(values - most[:, None]).mean(axis=1))
    return mean


def _direction(sites: Sequence[Site], scatter: np.ndarray) -> np.ndarray:
    """Fisher's discriminant of the places taken from those left, (F,)."""
    taken = np.mean([site.real - site.others.mean(axis=0) for site in sites], axis=0)
    scale = np.sqrt(np.diag(scatter)) + 1e-3
    related = scatter / np.outer(scale, scale) * (1 - SHRINKAGE)
    related += np.eye(len(scatter)) * SHRINKAGE
    found: np.ndarray = np.linalg.solve(related, taken / scale) / scale
    return found


def _sharpness(sites: Sequence[Site], scatter: np.ndarray) -> float:
    """One of :data:`SHARPNESSES`; 0 for sites of too few specimens."""
    groups = sorted({site.group for site in sites})
    if len(groups) < LEAST_SPECIMENS:
        return 0.0
    real, added = np.zeros((len(groups), len(SHARPNESSES))), np.zeros(len(SHARPNESSES))
    for number, group in enumerate(groups):
        direction = _direction([site for site in sites if site.group != group], scatter)
        mine = [site for site in sites if site.group == group]
        for site in mine:
            score = np.concatenate([[site.real @ direction], site.others @ direction])
            log = SHARPNESSES[:, None] * (score - score.mean())
            share = np.exp(log - _log_mean_exp(log)[:, None])
            gain = np.log(ANYWHERE + (1 - ANYWHERE) * share)
            real[number] += gain[:, 0] / len(mine)
            added += gain[:, 1:].mean(axis=1) / len(mine) / len(groups)
    error = DOUBT * np.sqrt(len(groups)) * real.std(axis=0, ddof=1)
    return float(SHARPNESSES[np.argmax(real.sum(axis=0) + ADDED * added - error)])


def scatter_of(places: Sequence[np.ndarray], sites: Sequence[Site]) -> np.ndarray:
    """Covariance (F, F) of surroundings within a picture: of ``places`` (N, F) of good pictures,
    and of the other places of real defects, half each where there are both."""
    found = []
    for parts in (places, [site.others for site in sites]):
        apart = [part - part.mean(axis=0) for part in parts if len(part) > 1]
        if apart:
            free = sum(len(part) - 1 for part in apart)
            stacked = np.concatenate(apart)
            found.append(stacked.T @ stacked / free)
    return np.mean(found, axis=0)


@dataclass(frozen=True, kw_only=True)
class PlaceLikeness:
    """For each of ``types`` (T): ``directions`` (T, F), ``sharpness`` (T,) and ``reach`` (T,), half
    the width of a typical defect in cells."""

    frame: Frame
    types: tuple[str, ...]
    directions: np.ndarray
    sharpness: np.ndarray
    reach: np.ndarray

    @classmethod
    def learned(
        cls,
        frame: Frame,
        types: Sequence[str],
        sites: Sequence[Site],
        places: Sequence[np.ndarray],
    ) -> PlaceLikeness:
        """From the ``sites`` of real defects and ``places`` (N, F) of each of some good pictures;
        there is at least one of one of them."""
        usable = [site for site in sites if len(site.others) >= LEAST_OTHERS]
        scatter = scatter_of(places, usable)
        directions, sharpness, reach = [], [], []
        for name in types:
            mine = [site for site in usable if site.defect == name]
            sharpness.append(_sharpness(mine, scatter))
            directions.append(_direction(mine, scatter) if mine else np.zeros(len(scatter)))
            reach.append(round(float(np.median([site.reach for site in mine]))) if mine else 0)
        return cls(
            frame=frame,
            types=tuple(types),
            directions=np.array(directions),
            sharpness=np.array(sharpness),
            reach=np.array(reach),
        )

    @property
    def telling(self) -> list[str]:
        """The types whose real places tell where to put further ones."""
        return [name for name, s in zip(self.types, self.sharpness, strict=True) if s > 0]

    def maps(self, seen: np.ndarray, share: np.ndarray) -> np.ndarray:
        """How likely each place is for each type, over the mean one of the object: float32
        (T, h, w), at least :data:`ANYWHERE`.

        ``seen`` (h, w, C) of a good picture, ``share`` (h, w) of each cell that is object.
        """
        found = np.ones((len(self.types), *share.shape), np.float32)
        on_object = share > 0.5 if (share > 0.5).any() else np.ones(share.shape, bool)
        places = self.frame.along(seen)
        known: dict[int, np.ndarray] = {}
        for number, (sharpness, reach) in enumerate(zip(self.sharpness, self.reach, strict=True)):
            if sharpness == 0:
                continue
            if reach not in known:
                known[reach] = everywhere(places, share, int(reach))
            log = sharpness * (known[reach] @ self.directions[number])
            log = np.minimum(log, np.quantile(log[on_object], 1 - ALIKE))
            likely = np.exp(log - _log_mean_exp(log[on_object][None])[0])
            found[number] = ANYWHERE + (1 - ANYWHERE) * likely
        return found

    def to_bytes(self) -> bytes:
        """All of it, as :meth:`from_bytes` takes it."""
        return packed(
            mean=self.frame.mean,
            axes=self.frame.directions,
            types=np.array(self.types),
            directions=self.directions,
            sharpness=self.sharpness,
            reach=self.reach,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> PlaceLikeness | None:
        """None if ``data`` is not whole."""
        found = unpacked(data)
        names = ("mean", "axes", "types", "directions", "sharpness", "reach")
        if found is None or not set(names) <= set(found):
            return None
        mean, axes, types, directions, sharpness, reach = (found[name] for name in names)
        return cls(
            frame=Frame(mean=mean, directions=axes),
            types=tuple(types.tolist()),
            directions=directions,
            sharpness=sharpness,
            reach=reach,
        )
