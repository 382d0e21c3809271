"""What a pair must reach to be accepted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

OFF = math.inf
"""An upper limit that is turned off; a lower one is turned off by 0."""

AT_LEAST = ("coverage", "agreement", "cl_dice")
AT_MOST = ("seam", "defect_change", "real_distance")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a pair's figures (:func:`adabldm.judging.findings.figures_of`) must reach.

    The defaults are what real defects on their own surface reach and lying masks do not
    (docs/method.md, "The judge"). At least, 0..1, 0 turns the limit off:

    * ``coverage``: share of the asked mask where a change shows. Half: nineteen of twenty real
      defects have more; below, most of what the mask says is not there.
    * ``agreement``: intersection over union of the refined mask with the asked one. Half: a refined
      mask of less than half the asked one is another defect.
    * ``cl_dice``: agreement along the centre lines, of thin defects only. 0.65: half of the line,
      where nothing lies outside the asked mask, so that dashes are no crack.

    At most, above 0, ``inf`` turns the limit off:

    * ``seam``: cut at the mask's border, 1 where it just shows. 12: no real defect had more than
      10.1, and those were chips with sharp edges; a patch cut out of a smooth ground with 50 grey
      levels' difference has more.
    * ``defect_change``: mean absolute change inside the mask, in grey levels. 128: no real defect
      had more than 111; half of all grey levels is no defect but a failure of the model.
    * ``real_distance``: to the few real defects, in the units of whoever measures it; off, since
      no number holds for all products.

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    coverage: float = 0.5
    agreement: float = 0.5
    cl_dice: float = 0.65
    seam: float = 12.0
    defect_change: float = 128.0
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
