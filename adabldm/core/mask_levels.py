"""Which grey values of a mask are marked: two levels, two with soft edges between them, or more
than two, which are classes of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label, maximum_filter, minimum_filter

from adabldm.core.images import ImageFault

FEW_LEVELS = 16
"""A mask of more values than this has them from a lossy file, a resize, or is none."""

NEAR = 5
"""Side in pixels of the neighbourhood in which an edge's value lies between its two sides."""

EDGE_SHARE = 0.9
"""A value is an edge's if this share of its pixels lies between lower and higher neighbours."""

DARK_LEVEL = 0.2
"""The lower of two values is what is not marked if it is at most this share of the upper."""

ENDS = 0.25
"""Values this near to the ends of the range, as a share of it, belong to the ends."""

WIDE, STEEP, EDGES = 9, 0.5, 0.7
"""At least the last share of what lies between the ends has a step of half the range within this
many pixels."""

STEPS, MOST_FLAT = 6, 0.1
"""An enlarged mask has at least so many values, and this share of those between, at most, is flat
(3 x 3 pixels alike)."""

NOISE, NOISE_FLAT = 0.12, 0.3
"""A lossy file's values lie this near to the ends of the range, and most not flat."""

LISTED = 6


class MaskFault(ImageFault):
    """A mask from which nobody can tell what is marked; ``kind`` is for sorting."""

    def __init__(self, kind: str, rule: str) -> None:
        super().__init__(rule, kind)


@dataclass(frozen=True)
class Note:
    """Something that was decided about a mask; ``kind`` is for sorting."""

    kind: str
    rule: str


def middle(values: np.ndarray) -> float:
    """Midway between the lowest and the highest of (H, W)."""
    return (float(values.min()) + float(values.max())) / 2


def listed(values: np.ndarray) -> str:
    """``values 0 (97.1 %), 1 (2.2 %)`` of (H, W)."""
    found, counts = np.unique(values, return_counts=True)
    shown = [
        f"{value:g} ({100 * count / values.size:.2g} %)"
        for value, count in zip(found[:LISTED], counts, strict=False)
    ]
    return f"values {', '.join(shown)}{', ...' if len(found) > LISTED else ''}"


def marked(values: np.ndarray) -> tuple[np.ndarray, tuple[Note, ...]]:
    """The marked pixels of (H, W), bool (H, W), and what had to be decided.

    Raises :class:`MaskFault` for several classes, or levels that cannot be told from each other.
    """
    levels = np.unique(values)
    if levels[0] < 0:
        raise MaskFault("mask-levels", f"has numbers below 0 ({listed(values)})")
    if len(levels) == 1:
        return values > 0, ()
    if len(levels) == 2:
        return _of_two(values, levels)
    if len(levels) <= FEW_LEVELS:
        _refuse_classes(values, levels)
    else:
        _refuse_many(values)
    at = middle(values)
    rule = f"has {len(levels)} grey levels, those above {at:.4g} were taken"
    return values > at, (Note("mask-soft", rule),)


def _of_two(values: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, tuple[Note, ...]]:
    low, high = float(levels[0]), float(levels[1])
    if low == 0:
        return values > 0, ()
    if low > DARK_LEVEL * high:
        raise MaskFault(
            "mask-classes",
            f"has no pixel that is 0 ({listed(values)}): `--mask-rule value:{high:g}` says which",
        )
    return values > low, (Note("mask-soft", f"has {low:g} for 0, {high:g} was taken"),)


def _refuse_classes(values: np.ndarray, levels: np.ndarray) -> None:
    """Every value but the lowest and the highest must be an edge's, or a lossy file's noise."""
    flat = maximum_filter(values, 3) == minimum_filter(values, 3)
    if _is_noise(values, levels, flat) or _is_smooth(values, levels, flat):
        return
    low, high = (filtered(values, NEAR) for filtered in (minimum_filter, maximum_filter))
    for level in levels[1:-1]:
        here = values == level
        between = (low[here] < level) & (high[here] > level)
        if between.mean() < EDGE_SHARE:
            void = (
                " (255 beside small numbers often is 'not labelled')" if _has_void(levels) else ""
            )
            raise MaskFault(
                "mask-classes",
                f"holds several classes, {listed(values)}{void}: `--mask-rule value:N` (in "
                "dataset.yaml `value: N` at each type) says which is the defect",
            )


def _is_noise(values: np.ndarray, levels: np.ndarray, flat: np.ndarray) -> bool:
    """Whether all values lie near either end of the range, scattered, as a JPEG's do; numbers of
    classes lie near the lower end only."""
    inner, reach = levels[1:-1], NOISE * float(levels[-1] - levels[0])
    at_top = inner > levels[-1] - reach
    if not at_top.any() or not (at_top | (inner < levels[0] + reach)).all():
        return False
    return bool(flat[np.isin(values, inner)].mean() < NOISE_FLAT)


def _is_smooth(values: np.ndarray, levels: np.ndarray, flat: np.ndarray) -> bool:
    """Whether the values between are steps of an enlarged mask: nowhere flat, and each marked part
    has most of them; a part of a class has one value."""
    inside = (values > levels[0]) & (values < levels[-1])
    if len(levels) < STEPS or flat[inside].mean() > MOST_FLAT:
        return False
    part, count = label(values > levels[0], np.ones((3, 3)))
    kinds = np.array([len(np.unique(values[part == number])) for number in range(1, count + 1)])
    rich = kinds[part[inside] - 1] * 2 >= len(levels) - 1
    return bool(rich.mean() >= EDGE_SHARE)


def _has_void(levels: np.ndarray) -> bool:
    return bool(levels[-1] == 255 and levels[-2] <= FEW_LEVELS)


def _refuse_many(values: np.ndarray) -> None:
    """What lies between the two ends of the range must lie at edges."""
    low, high = float(values.min()), float(values.max())
    scaled = (values.astype(np.float32) - low) / (high - low)
    inner = (scaled > ENDS) & (scaled < 1 - ENDS)
    steep = maximum_filter(scaled, WIDE) - minimum_filter(scaled, WIDE) >= STEEP
    if low > DARK_LEVEL * high or (inner.any() and steep[inner].mean() < EDGES):
        raise MaskFault(
            "mask-levels",
            f"has {len(np.unique(values))} grey levels that are no two levels with soft edges "
            f"({listed(values)}): is it a mask? `--mask-rule bright` takes the upper half",
        )
