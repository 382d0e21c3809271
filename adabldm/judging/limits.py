"""What a pair must reach to be accepted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

OFF = math.inf
"""An upper limit that is turned off; a lower one is turned off by 0."""

AT_LEAST = ("coverage", "agreement", "cl_dice")
AT_MOST = ("seam", "change", "real_distance")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a pair's figures (:class:`adabldm.judging.verdict.Verdict`) must reach.

    At least, 0..1, 0 turns the limit off:

    * ``coverage``: share of the asked mask that visibly changed.
    * ``agreement``: the refined mask's intersection over union with the asked one.
    * ``cl_dice``: the same along the centre lines, of thin defects only.

    At most, above 0, ``inf`` turns the limit off:

    * ``seam``: the cut at the mask's border, 1 being just visible.
    * ``change``: mean absolute change inside the mask, in grey levels.
    * ``real_distance``: to the few real defects, in the units of whoever measures it; off, as there
      is no unit that holds for all products.

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    coverage: float = 0.5
    agreement: float = 0.5
    cl_dice: float = 0.5
    seam: float = OFF
    change: float = OFF
    real_distance: float = OFF

    def __post_init__(self) -> None:
        for name in AT_LEAST:
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "must be in 0..1")
        for name in AT_MOST:
            _require(getattr(self, name) > 0, name, getattr(self, name), "must be above 0, or inf")

    @classmethod
    def of(cls, settings: Iterable[str]) -> Limits:
        """The defaults with ``settings`` of the form name=value, such as ``coverage=0.6``."""
        chosen: dict[str, float] = {}
        names = [one.name for one in fields(cls)]
        for setting in settings:
            name, equals, text = setting.partition("=")
            name = name.strip()
            _require(bool(equals), "limit", setting, "must be name=value, as in coverage=0.6")
            _require(name in names, "limit", name, f"must be one of {', '.join(names)}")
            _require(name not in chosen, name, setting, "is given twice")
            chosen[name] = _number(name, text)
        return cls(**chosen)

    def missed(self, figures: Mapping[str, float]) -> list[str]:
        """What ``figures`` do not reach, one line each; figures that are not there are not asked
        for."""
        lines = []
        for name, value in figures.items():
            if name in AT_LEAST and not value >= getattr(self, name):
                lines.append(f"{name} {value:.3g} is below {getattr(self, name):g}")
            if name in AT_MOST and not value <= getattr(self, name):
                lines.append(f"{name} {value:.3g} is above {getattr(self, name):g}")
        return lines


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r}: must be a number") from None


def _require(legal: bool, name: str, value: object, rule: str) -> None:
    if not legal:
        raise ValueError(f"{name}: {value!r}: {rule}")
