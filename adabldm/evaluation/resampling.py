"""How far figures vary with the specimens that happened to be tested: a bootstrap.

Pixels of each test picture are counted by their score, in levels, once; a resample weighs the
pictures. The levels only serve the intervals: figures themselves are exact (:mod:`scoring`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from adabldm.core import random_streams
from adabldm.evaluation.instances import Regions
from adabldm.evaluation.scoring import Read
from adabldm.evaluation.tested import TestPicture

LEVELS = 512
SAMPLED = 4096
"""Scores of a picture's defects that the levels are chosen by."""
GOOD = ""
"""The type of a good picture's pixels."""
BOOTSTRAPPED = ("pixel_ap", "iap", "image_auroc", "image_ap")


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Test pictures, counted: N views, one of a good picture, one of each type of a defective one,
    and one of all types together if it has several. ``picture`` (N,) numbers the test pictures,
    ``defect`` (N,) is the type; ``in_all`` and ``in_types`` (N,) say whether a view counts for
    everything and for types. ``found``, ``alarms`` and ``instances`` (N, L) count defective pixels,
    good ones and connected defects by level, the lowest first; ``highest`` (N,) is the picture's
    highest score.
    """

    picture: np.ndarray
    defect: np.ndarray
    in_all: np.ndarray
    in_types: np.ndarray
    found: np.ndarray
    alarms: np.ndarray
    instances: np.ndarray
    highest: np.ndarray

    def to_bytes(self) -> bytes:
        """As a compressed .npz."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{one.name: getattr(self, one.name) for one in fields(self)})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Counted:
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            return cls(**{one.name: held[one.name] for one in fields(cls)})

    def chosen(self, rows: np.ndarray) -> Counted:
        """Those views that bool ``rows`` (N,) says."""
        return Counted(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})


def count(pictures: Sequence[TestPicture], read: Callable[[TestPicture], Read]) -> Counted:
    """Count the ``pictures``, in their order; ``read`` is called twice for a defective one."""
    seen = [_sampled(read(one)) for one in pictures if one.defects]
    edges = np.unique(np.quantile(np.concatenate(seen), np.linspace(0, 1, LEVELS - 1)))
    rows: list[tuple] = []
    for number, picture in enumerate(pictures):
        one = read(picture)
        highest = float(one.scores.max())
        if not one.views:
            nothing = np.zeros(LEVELS, np.int64)
            rows.append(
                (number, GOOD, True, True, nothing, _counts(edges, one.scores.ravel()), nothing,
                 highest)
            )  # fmt: skip
        for view in one.views:
            regions = Regions.of(view.marked, one.scores)
            rows.append(
                (number, view.share.defect or "several", view.share.in_all, view.share.in_types,
                 _counts(edges, regions.scores), _counts(edges, view.good(one.scores)),
                 _counts(edges, regions.instance_scores), highest)
            )  # fmt: skip
    columns = zip(fields(Counted), zip(*rows, strict=True), strict=True)
    kinds = {"found": np.int32, "alarms": np.int32, "instances": np.int32}
    return Counted(**{one.name: np.array(values, kinds.get(one.name)) for one, values in columns})


def _sampled(one: Read) -> np.ndarray:
    scores = np.concatenate([Regions.of(view.marked, one.scores).scores for view in one.views])
    return scores[:: max(1, len(scores) // SAMPLED)]


def _counts(edges: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, scores, side="right"), minlength=LEVELS)


def weights(pictures: Sequence[TestPicture], samples: int, seed: int = 0) -> np.ndarray:
    """How often each picture is in each resample, (samples, pictures): specimens are drawn with
    replacement, of each object and set of types as many as there are."""
    specimens = sorted({one.specimen for one in pictures})
    number = {name: index for index, name in enumerate(specimens)}
    of_picture = np.array([number[one.specimen] for one in pictures])
    strata: dict[int, set[str]] = {index: set() for index in range(len(specimens))}
    for one in pictures:
        names = [item.defect for item in one.defects] or [GOOD]
        strata[number[one.specimen]].update(f"{one.object}/{name}" for name in names)
    by_stratum: dict[tuple[str, ...], list[int]] = {}
    for index, types in strata.items():
        by_stratum.setdefault(tuple(sorted(types)), []).append(index)
    drawn = np.zeros((samples, len(specimens)), np.float32)
    for text, members in sorted(by_stratum.items()):
        rng = random_streams.stream(seed, f"specimens {text}")
        chances = np.full(len(members), 1 / len(members))
        drawn[:, members] = rng.multinomial(len(members), chances, size=samples)
    return drawn[:, of_picture]


def resampled(counted: Counted, defect: str | None, weight: np.ndarray) -> dict[str, np.ndarray]:
    """The figures :data:`BOOTSTRAPPED` of a type against all good pictures, of everything for None,
    in each resample of :func:`weights`: (samples,) each, NaN where one is not defined."""
    if defect is None:
        views = counted.chosen(counted.in_all)
    else:
        views = counted.chosen(counted.in_types & np.isin(counted.defect, (GOOD, defect)))
    of_view = weight[:, views.picture]
    found, alarms, instances = (
        of_view @ one.astype(np.float32) for one in (views.found, views.alarms, views.instances)
    )
    flawed = views.defect != GOOD
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc, image_ap = _of_pictures(views.highest, flawed, of_view)
        return {
            "pixel_ap": _average_precision(found, alarms),
            "iap": _instance_average(found, alarms, instances),
            "image_auroc": auroc,
            "image_ap": image_ap,
        }


def _falling(counts: np.ndarray) -> np.ndarray:
    """(B, L) counts summed from the highest level down, the lowest level first."""
    summed: np.ndarray = np.cumsum(counts[:, ::-1], axis=1, dtype=np.float64)[:, ::-1]
    return summed


def _average_precision(found: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Scores of a level are taken as spread over it: half of it counts as reached."""
    hits, false = _falling(found) - found / 2, _falling(alarms) - alarms / 2
    precision = hits / np.maximum(hits + false, 1e-9)
    mean: np.ndarray = (found * precision).sum(axis=1) / found.sum(axis=1)
    return mean


def _instance_average(found: np.ndarray, alarms: np.ndarray, instances: np.ndarray) -> np.ndarray:
    hits, false = _falling(found), _falling(alarms)
    precision = np.where(instances > 0, hits / np.maximum(hits + false, 1e-9), 0)
    interpolated = np.maximum.accumulate(precision, axis=1)
    mean: np.ndarray = (instances * interpolated).sum(axis=1) / instances.sum(axis=1)
    return mean


def _of_pictures(
    highest: np.ndarray, flawed: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and average precision of pictures by their highest score."""
    order = np.argsort(-highest, kind="stable")
    some = weight[:, order].astype(np.float64)
    found, good = some * flawed[order], some * ~flawed[order]
    hits, false = np.cumsum(found, axis=1), np.cumsum(good, axis=1)
    total, alarms = hits[:, -1], false[:, -1]
    auroc = (found * (alarms[:, None] - false)).sum(axis=1) / (total * alarms)
    average = (found * hits / np.maximum(hits + false, 1e-9)).sum(axis=1) / total
    return auroc, np.where(alarms > 0, average, np.nan)
