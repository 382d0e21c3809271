"""How far a pair is from being judged otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adabldm.judging.limits import AT_LEAST, AT_MOST


@dataclass(frozen=True, kw_only=True)
class Limit:
    """``figure`` must be at least, or at most, ``value``."""

    figure: str
    at_least: bool
    value: float

    def margin(self, figure: float) -> float:
        """How far on the right side, in shares of the limit's own room: 0 at the limit, below 0
        beyond it."""
        if self.at_least:
            room = 1 - self.value if figure >= self.value else self.value
            return (figure - self.value) / max(room, 1e-9)
        return (self.value - figure) / self.value

    @property
    def sign(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.value:g}"

    @property
    def words(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.value:g}"


def limits_of(config: Mapping[str, Any]) -> list[Limit]:
    """The limits in a run's configuration that are on; none where pairs were not judged."""
    judge = config.get("judge")
    told = judge.get("limits") if isinstance(judge, dict) else None
    found = []
    for name in (*AT_LEAST, *AT_MOST):
        value = told.get(name) if isinstance(told, dict) else None
        if isinstance(value, int | float) and value > 0:
            found.append(Limit(figure=name, at_least=name in AT_LEAST, value=float(value)))
    return found


def tightest(figures: Mapping[str, float], limits: list[Limit]) -> tuple[float, Limit] | None:
    """The least margin of all, and the limit it is to; None where no limit is asked for."""
    found = [(one.margin(figures[one.figure]), one) for one in limits if one.figure in figures]
    return min(found, key=lambda pair: pair[0]) if found else None
