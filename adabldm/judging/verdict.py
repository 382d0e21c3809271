"""The judge's verdict on a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adabldm.core import trimap
from adabldm.judging import likeness, pair
from adabldm.judging.findings import Region, added, figures_of
from adabldm.judging.limits import AT_LEAST, AT_MOST, OFF, Limits
from adabldm.judging.regions import regions_of
from adabldm.placement.transform import bounding_box

RealDistance = Callable[[np.ndarray, np.ndarray], float]
"""How far a defect is from the few real ones: of a crop uint8 (h, w, 3), cut as
:func:`adabldm.judging.likeness.crop` does, and its mask uint8 (h, w) of 0 / 255. 0 or more; less is
closer."""


DEFAULTS = Limits()
GRADED = {"seam": 0.25, "real_distance": 0.25}
"""What a figure at its limit takes off the score; below, in proportion."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """``figures`` by name; ``refined``, the mask of what really changed, uint8 (H, W) of 0 / 255;
    ``score``, of which more is better among a request's candidates; ``reason`` why the pair is
    rejected, None if it is accepted."""

    figures: dict[str, float]
    refined: np.ndarray
    score: float
    reason: str | None


class Judge:
    """Judges the candidates of one request: the good image ``source`` uint8 (H, W, 3) and the
    trimap ``marks`` uint8 (H, W), of the pair's size. ``real`` measures the distance to real
    defects; it is shown the largest defect in its surroundings.

    Only the surroundings of defects are looked at. Raises
    :class:`~adabldm.core.trimap.TrimapFault` for a trimap without a defect.
    """

    def __init__(
        self,
        source: np.ndarray,
        marks: np.ndarray,
        limits: Limits | None = None,
        real: RealDistance | None = None,
    ) -> None:
        self._source = source
        self._asked = marks == trimap.DEFECT
        if not self._asked.any():
            raise trimap.TrimapFault("no pixel is 255 (defect)")
        self._limits = limits or Limits()
        self._real = real
        self._boxes = regions_of(self._asked)
        self._regions = [Region(source[box], self._asked[box]) for box in self._boxes]

    def __call__(self, image: np.ndarray) -> Verdict:
        """The verdict on ``image`` uint8 (H, W, 3)."""
        refined = np.zeros(self._asked.shape, np.uint8)
        sums = []
        for box, region in zip(self._boxes, self._regions, strict=True):
            found, mask = region.find(image[box])
            refined[box][mask] = 255
            sums.append(found)
        figures = pair.pair_quality(image, self._source, self._asked) | figures_of(added(sums))
        if self._real is not None:
            window = self._largest
            mask = self._asked[window].astype(np.uint8) * 255
            figures["real_distance"] = float(self._real(image[window], mask))
        return Verdict(
            figures=figures,
            refined=refined,
            score=score(figures, self._limits),
            reason="; ".join(self._limits.missed(figures)) or None,
        )

    @cached_property
    def _largest(self) -> tuple[slice, slice]:
        """Where the region with the most defect is looked at."""
        number = int(np.argmax([region.asked.sum() for region in self._regions]))
        box = self._boxes[number]
        rows, cols = (
            slice(outer.start + inner.start, outer.start + inner.stop)
            for outer, inner in zip(box, bounding_box(self._asked[box]), strict=True)
        )
        return likeness.surroundings(rows, cols, self._asked.shape)


def score(figures: Mapping[str, float], limits: Limits) -> float:
    """By how much a pair is preferred among the candidates of its request.

    The mean of ``coverage``, ``agreement`` and, where there is one, ``cl_dice``, 0..1. A quarter is
    taken off by a seam, in proportion to the default limit, and another by the distance to real
    defects, where that has a limit. A whole point is taken off by each of ``seam``,
    ``defect_change`` and ``real_distance`` that is beyond its limit (for the first two also the
    default one), so that a cut-out or an absurd contrast never wins by filling its mask.
    """
    lead = [figures[name] for name in AT_LEAST if name in figures]
    total = sum(lead) / len(lead)
    for name in AT_MOST:
        most = min(getattr(limits, name), getattr(DEFAULTS, name))
        if name not in figures or most == OFF:
            continue
        share = figures[name] / most
        total -= GRADED.get(name, 0.0) * min(1.0, share) + (not share <= 1)
    return total


def judge(
    image: np.ndarray,
    source: np.ndarray,
    marks: np.ndarray,
    limits: Limits | None = None,
    real: RealDistance | None = None,
) -> Verdict:
    """The verdict on one pair; see :class:`Judge`, which keeps what is the same for all candidates
    of a request."""
    return Judge(source, marks, limits, real)(image)
