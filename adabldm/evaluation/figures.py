"""The figures of a ranking of pixels and of one of pictures, under the names that are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np

from adabldm.evaluation import curves
from adabldm.evaluation.instances import instance_average_precision
from adabldm.evaluation.levels import level_of


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Pixels by score. The arrays but ``cuts`` (K,) and ``instances`` (N,), the scores of the
    instances, are by level (2 K + 1,), the lowest first: see :mod:`levels`."""

    cuts: np.ndarray
    found: np.ndarray
    alarms: np.ndarray
    overlap: np.ndarray
    instances: np.ndarray

    @cached_property
    def _falling(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.found[::-1], self.alarms[::-1], self.overlap[::-1]

    @cached_property
    def _best(self) -> tuple[float, float]:
        """The best F1, and its threshold."""
        scores = curves.f1_scores(*self._falling[:2])[1::2]  # at the cuts, the highest first
        best = int(scores.argmax())
        return float(scores[best]), float(self.cuts[len(self.cuts) - 1 - best])

    @property
    def best_f1(self) -> float:
        return self._best[0]

    @property
    def best_threshold(self) -> float:
        """The highest threshold of the best F1: a pixel that reaches it is defective."""
        return self._best[1]

    @property
    def roc_area(self) -> float | None:
        return curves.roc_area(*self._falling[:2])

    @property
    def average_precision(self) -> float | None:
        return curves.average_precision(*self._falling[:2])

    @property
    def per_region_overlap(self) -> float | None:
        _, alarms, overlap = self._falling
        return curves.per_region_overlap(overlap, alarms)

    @property
    def instance_precisions(self) -> np.ndarray:
        """The pixel precision at each instance's score, the lowest score first."""
        at = level_of(self.cuts, np.sort(self.instances))
        return curves.precision(*self._falling[:2])[len(self.found) - 1 - at]

    @property
    def slack(self) -> float:
        """How far a figure may be off, because scores between two cuts are in no order; 0 while
        every defective pixel's score is a cut."""
        found, alarms, overlap = self._falling
        mixed = np.arange(len(found)) % 2 == 0
        between = float(found[mixed].max(initial=0) / max(1, found.sum()))
        return max(
            curves.average_precision_slack(found, alarms, mixed),
            curves.roc_slack(found, alarms, mixed),
            curves.overlap_slack(overlap, alarms, mixed),
            2 * between,  # F1
        )


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a detector reaches; None where it is not defined, as without good pictures.

    Of pixels: ``pixel_ap``, ``pixel_auroc``, the best ``pixel_f1`` over all thresholds, the
    ``pixel_iou`` at the same threshold, ``aupro`` up to 0.3, ``iap`` and ``iap90``;
    ``pixel_cldice`` is the mean over defective pictures at the threshold of the object's best F1.
    Of pictures, by their highest pixel: ``image_auroc``, ``image_ap``, and the share of good
    pictures that is alarmed if every defective one is (``false_alarms_at_full_recall``).
    ``threshold`` is that of the best F1. ``largest_error`` bounds what counting in levels can have
    changed of the figures of pixels. Then how many there were.
    """

    pixel_ap: float | None
    pixel_auroc: float | None
    pixel_f1: float | None
    pixel_iou: float | None
    pixel_cldice: float | None
    aupro: float | None
    iap: float | None
    iap90: float | None
    image_auroc: float | None
    image_ap: float | None
    false_alarms_at_full_recall: float | None
    threshold: float | None
    largest_error: float
    defective_pictures: int
    good_pictures: int
    instances: int
    pixels: int

    @classmethod
    def of(
        cls, ranking: Ranking, *, flawed: np.ndarray, good: np.ndarray, cl_dice: float
    ) -> Figures:
        """From the pixels and the pictures' own scores, (N,) and (M,), N at least 1."""
        instance = instance_average_precision(ranking.instance_precisions)
        pictures = curves.ranked(flawed, good)
        return cls(
            pixel_ap=ranking.average_precision,
            pixel_auroc=ranking.roc_area,
            pixel_f1=ranking.best_f1,
            pixel_iou=curves.iou_of_f1(ranking.best_f1),
            pixel_cldice=cl_dice,
            aupro=ranking.per_region_overlap,
            iap=None if instance is None else instance.iap,
            iap90=None if instance is None else instance.iap90,
            image_auroc=curves.roc_area(*pictures),
            image_ap=curves.average_precision(*pictures) if len(good) else None,
            false_alarms_at_full_recall=curves.false_alarms_at_full_recall(*pictures),
            threshold=ranking.best_threshold,
            largest_error=ranking.slack,
            defective_pictures=len(flawed),
            good_pictures=len(good),
            instances=len(ranking.instances),
            pixels=int(ranking.found.sum() + ranking.alarms.sum()),
        )

    def as_dict(self) -> dict[str, float | int | None]:
        return asdict(self)


COUNTS = ("defective_pictures", "good_pictures", "instances", "pixels")


def mean_figures(several: Sequence[Figures]) -> Figures:
    """The mean over objects of each figure, where it is defined; counts are summed, the largest
    error is the largest, and several have no threshold in common."""
    if len(several) == 1:
        return several[0]

    def joined(name: str) -> float | int | None:
        values = [value for one in several if (value := getattr(one, name)) is not None]
        if name in COUNTS:
            return sum(values)
        if not values or name == "threshold":
            return None
        return max(values) if name == "largest_error" else float(np.mean(values))

    return Figures(**{one.name: joined(one.name) for one in fields(Figures)})  # type: ignore[arg-type]
