"""The judge's verdict on a pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """``figures`` by name; ``refined``, the mask of what really changed, uint8 (H, W) of 0 / 255;
    ``score``, of which more is better among a request's candidates; ``reason`` why the pair is
    rejected, None if it is accepted."""

    figures: dict[str, float]
    refined: np.ndarray
    score: float
    reason: str | None
