"""Figures of a ranking: what is found and what is alarmed falsely, at every threshold.

Each function takes ``found`` and ``alarms``: how many defective and good pixels (or pictures) have
each score, from the highest score to the lowest. Equal scores are one entry, since no threshold
parts them. Totals are taken from the arrays.
"""

from __future__ import annotations

import numpy as np

AUPRO_LIMIT = 0.3
"""Largest false positive rate of :func:`per_region_overlap`."""


def _cumulated(found: np.ndarray, alarms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Found and alarmed at each threshold, float64: exact up to 2 ** 53."""
    return np.cumsum(found, dtype=np.float64), np.cumsum(alarms, dtype=np.float64)


def roc_area(found: np.ndarray, alarms: np.ndarray) -> float | None:
    """Area under the ROC curve: the share of (defective, good) pairs in the right order, a tie
    counting half. None where one of the two kinds lacks."""
    if not found.any() or not alarms.any():
        return None
    hits, false = _cumulated(found, alarms)
    below = false[-1] - false + np.asarray(alarms) / 2
    return float(np.dot(found, below) / hits[-1] / false[-1])


def precision(found: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """Precision at each threshold; 0 where nothing reaches it."""
    hits, false = _cumulated(found, alarms)
    return hits / np.maximum(hits + false, 1)


def average_precision(found: np.ndarray, alarms: np.ndarray) -> float | None:
    """The mean over what is to be found of the precision at its score (a step function, no
    interpolation). None where nothing is to be found."""
    total = float(np.sum(found, dtype=np.float64))
    return float(np.dot(found, precision(found, alarms)) / total) if total else None


def average_precision_slack(found: np.ndarray, alarms: np.ndarray, mixed: np.ndarray) -> float:
    """How far :func:`average_precision` may be off if the entries ``mixed`` (bool) hold several
    scores each, in an order that is not known."""
    hits, false = _cumulated(found, alarms)
    if not len(hits) or not hits[-1]:
        return 0.0
    hits_before, false_before = hits - found, false - alarms
    worst = (hits_before + 1) / np.maximum(hits_before + 1 + false, 1)
    best = hits / np.maximum(hits + false_before, 1)
    spread = np.where(mixed, np.maximum(best - worst, 0), 0)
    return float(np.dot(found, spread) / hits[-1])


def roc_slack(found: np.ndarray, alarms: np.ndarray, mixed: np.ndarray) -> float:
    """As :func:`average_precision_slack`, for :func:`roc_area`."""
    pairs = float(np.sum(found, dtype=np.float64)) * float(np.sum(alarms, dtype=np.float64))
    held = np.asarray(found, np.float64) * alarms
    return float(held[mixed].sum() / 2 / pairs) if pairs else 0.0


def f1_scores(found: np.ndarray, alarms: np.ndarray) -> np.ndarray:
    """F1 (the Dice coefficient) at each threshold: 2 TP / (2 TP + FP + FN)."""
    hits, false = _cumulated(found, alarms)
    return 2 * hits / np.maximum(hits + false + hits[-1], 1)


def iou_of_f1(f1: float) -> float:
    """Intersection over union of the defect at the threshold of an F1: F1 / (2 - F1)."""
    return f1 / (2 - f1)


def per_region_overlap(
    overlap: np.ndarray, alarms: np.ndarray, limit: float = AUPRO_LIMIT
) -> float | None:
    """AUPRO (Bergmann et al., IJCV 2021): the area under the mean overlap of regions over the false
    positive rate, up to ``limit``, as a share of ``limit``; trapezoids, the last one cut.

    ``overlap`` is the share of the regions, summed, that has each score: a region's pixel counts
    one over the region's size. None without regions or without good pixels.
    """
    if not overlap.any() or not alarms.any():
        return None
    covered, false = _cumulated(overlap, alarms)
    rate = np.concatenate([[0.0], false / false[-1]])
    share = np.concatenate([[0.0], np.minimum(covered / covered[-1], 1)])
    inside = int(np.searchsorted(rate, limit, side="right"))
    at_limit = np.interp(limit, rate[inside - 1 : inside + 1], share[inside - 1 : inside + 1])
    rate, share = np.append(rate[:inside], limit), np.append(share[:inside], at_limit)
    return float(np.trapezoid(share, rate) / limit)


def overlap_slack(
    overlap: np.ndarray, alarms: np.ndarray, mixed: np.ndarray, limit: float = AUPRO_LIMIT
) -> float:
    """As :func:`average_precision_slack`, for :func:`per_region_overlap`."""
    covered, false = _cumulated(overlap, alarms)
    if not len(covered) or not covered[-1] or not false[-1]:
        return 0.0
    inside = (false - alarms) / false[-1] < limit
    held = np.asarray(overlap, np.float64) / covered[-1] * (alarms / false[-1])
    return float(held[mixed & inside].sum() / limit)


def false_alarms_at_full_recall(found: np.ndarray, alarms: np.ndarray) -> float | None:
    """The share of what is good that is alarmed by the highest threshold at which everything
    defective is found. None where one of the two kinds lacks."""
    if not found.any() or not alarms.any():
        return None
    _, false = _cumulated(found, alarms)
    last = int(np.flatnonzero(found)[-1])
    return float(false[last] / false[-1])


def ranked(defective: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``found`` and ``alarms`` of few scores (N,) and (M,), such as pictures have."""
    scores, places = np.unique(np.concatenate([defective, good]), return_inverse=True)
    found = np.bincount(places[: len(defective)], minlength=len(scores))
    alarms = np.bincount(places[len(defective) :], minlength=len(scores))
    return found[::-1], alarms[::-1]
