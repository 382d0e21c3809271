"""The judge's verdict on a pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adabldm.core import trimap
from adabldm.judging import pair
from adabldm.judging.limits import Limits

RealDistance = Callable[[np.ndarray, np.ndarray], float]
"""How far a defect is from the few real ones: of a crop uint8 (h, w, 3) and its mask uint8 (h, w)
of 0 / 255. 0 or more; less is closer."""


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
    """Judges pairs of one request: the good image ``source`` uint8 (H, W, 3) and the trimap
    ``marks`` uint8 (H, W), of the pair's size. ``real`` measures the distance to real defects."""

    def __init__(
        self,
        source: np.ndarray,
        marks: np.ndarray,
        limits: Limits | None = None,
        real: RealDistance | None = None,
    ) -> None:
        self._source = source
        self._asked = marks == trimap.DEFECT
        self._limits = limits or Limits()
        self._real = real

    def __call__(self, image: np.ndarray) -> Verdict:
        """The verdict on ``image`` uint8 (H, W, 3)."""
        figures = pair.pair_quality(image, self._source, self._asked)
        changed = np.any(image != self._source, axis=2) & self._asked
        share = float(changed.sum() / self._asked.sum())
        figures |= {"coverage": share, "agreement": share}
        missed = self._limits.missed(figures)
        return Verdict(
            figures=figures,
            refined=changed.astype(np.uint8) * 255,
            score=share,
            reason="; ".join(missed) or None,
        )


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
