"""Curves of an evaluation: a figure over the number of synthetic pairs, and of real defects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.report.charts import Axis, Tick

LEAD = "pixel_ap"
"""The figure whose curves are drawn."""
MOST_SERIES = 8
COLOURS = 8

Record = Mapping[str, Any]


def number(value: Any) -> float | None:
    """A finite number, None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def text(value: Any) -> str:
    """As it is shown; nothing for None."""
    return "" if value is None else str(value)


@dataclass(frozen=True, kw_only=True)
class Point:
    x: float
    y: float
    low: float
    high: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Series:
    name: str
    colour: int
    points: list[Point]

    @property
    def line(self) -> str:
        """For an SVG polyline."""
        return " ".join(f"{point.x},{point.y}" for point in self.points)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A figure over a number of pictures or shots: mean and range over seeds."""

    title: str
    x_title: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    series: list[Series]
    more: int


def curves(arms: Sequence[Record]) -> list[Curve]:
    """Those that there are, of arms with ``figures``; an arm has one colour in all of them."""
    names = dict.fromkeys(text(arm.get("arm")) for arm in arms)
    colours = {name: at for at, name in enumerate(names)}
    found = [
        _curve(arms, colours, "pictures", "synthetic pairs", ("arm", "detector", "shots")),
        _curve(
            arms, colours, "shots", "real defects of each type", ("arm", "detector", "pictures")
        ),
    ]
    return [curve for curve in found if curve is not None]


def _curve(
    arms: Sequence[Record],
    colours: Mapping[str, int],
    x: str,
    x_title: str,
    fixed: tuple[str, str, str],
) -> Curve | None:
    """The curve over ``x``; None where no arm has two places on it."""
    groups: dict[tuple[str, ...], dict[float, list[float]]] = {}
    for arm in arms:
        at, value = number(arm.get(x)), number(arm["figures"].get(LEAD))
        if at is not None and value is not None:
            name = tuple(text(arm.get(part)) for part in fixed)
            groups.setdefault(name, {}).setdefault(at, []).append(value)
    drawn = {name: places for name, places in groups.items() if len(places) > 1}
    if not drawn:
        return None
    values = [v for places in drawn.values() for several in places.values() for v in several]
    scale = 100.0 if all(abs(value) <= 1 for value in values) else 1.0
    xs = sorted({at for places in drawn.values() for at in places})
    axis = Axis.around([scale * value for value in values])
    varying = [i for i in range(len(fixed)) if len({name[i] for name in drawn}) > 1]
    chosen = sorted(drawn.items(), key=lambda one: (-len(one[1]), one[0]))[:MOST_SERIES]
    return Curve(
        title=f"Pixel AP by number of {x_title}",
        x_title=x_title,
        x_ticks=[Tick(at=_spread_evenly(xs, at), label=f"{at:,.10g}") for at in xs],
        y_ticks=axis.ticks,
        series=[
            Series(
                name=_series_name(name, fixed, varying),
                colour=colours[name[0]] % COLOURS,
                points=[
                    _point(_spread_evenly(xs, at), [scale * v for v in several], axis, at)
                    for at, several in sorted(places.items())
                ],
            )
            for name, places in chosen
        ],
        more=len(drawn) - len(chosen),
    )


def _spread_evenly(xs: list[float], at: float) -> float:
    """Numbers such as 0, 100, 300, 1,000 lie far apart: each gets the same room."""
    return round(4 + 92 * xs.index(at) / (len(xs) - 1), 2)


def _point(x: float, several: list[float], axis: Axis, at: float) -> Point:
    mean = sum(several) / len(several)
    seeds = f"{len(several)} seed{'s' if len(several) > 1 else ''}"
    return Point(
        x=x,
        y=100 - axis.at(mean),
        low=100 - axis.at(min(several)),
        high=100 - axis.at(max(several)),
        label=f"{at:,.10g}: {mean:.1f} ({min(several):.1f} to {max(several):.1f}, {seeds})",
    )


def _series_name(name: tuple[str, ...], fixed: tuple[str, ...], varying: list[int]) -> str:
    parts = [name[0]]
    parts += [f"{name[i]} {fixed[i]}" if i > 1 else name[i] for i in varying if i and name[i]]
    return ", ".join(parts)
