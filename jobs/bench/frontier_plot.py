"""The plot of adaptation variants: work against quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL = (5.4, 5.2)
"""Width and height of a panel, in inches."""
DOTS_PER_INCH = 130
FAMILIES_A_LINE = 6
COLOURS = ("#555555", "#e377c2", "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b",
           "#17a2b8", "#b5a800", "#000080")  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Of another number than the colours, so that families differ in more than their colour."""
LEFT, RIGHT = 3.0, 6.0
"""Factors by which the axis of work goes on beyond the points."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """``work`` in GFLOP (0 is drawn at the left edge), ``values`` one a panel; ``label`` is written
    beside it."""

    family: str
    name: str
    work: float
    values: tuple[float, ...]
    label: str = ""


def draw_frontier(points: Sequence[Point], titles: Sequence[str], path: Path) -> None:
    """One panel a title, with ``points[i].values[panel]`` over the work, logarithmic.

    Points of one family, in their order, are joined.
    """
    from matplotlib.figure import Figure

    width, height = PANEL
    figure = Figure((width * len(titles), height), dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(1, len(titles), squeeze=False)[0]
    nothing = _below(points)
    for panel, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        _draw_panel(axes, points, panel, nothing)
        axes.set_ylabel(title, fontsize=12)
    handles, families = panels[0].get_legend_handles_labels()
    columns = min(FAMILIES_A_LINE, len(families))
    figure.legend(
        handles, families, loc="outside lower center", ncols=columns, frameon=False, fontsize=11
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _below(points: Sequence[Point]) -> float:
    """The power of ten below all work, which stands for none."""
    worked = [point.work for point in points if point.work > 0]
    return 10.0 ** (math.floor(math.log10(min(worked))) - 1)


def _draw_panel(axes: Axes, points: Sequence[Point], panel: int, nothing: float) -> None:
    families = dict.fromkeys(point.family for point in points)
    for family, colour, marker in zip(families, cycle(COLOURS), cycle(MARKERS)):
        own = [point for point in points if point.family == family]
        work = [point.work or nothing for point in own]
        values = [point.values[panel] for point in own]
        axes.plot(work, values, color=colour, marker=marker, markersize=7.5, linewidth=1.8,
                  markeredgecolor="white", label=family)  # fmt: skip
    for point in points:
        if point.label:
            _label(axes, point.label, point.work or nothing, point.values[panel])
    shown = [point.work or nothing for point in points]
    axes.set_xscale("log")
    axes.set_xlim(min(shown) / LEFT, max(shown) * RIGHT)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda work, _: "none" if work <= nothing else f"{work:g}")
    axes.margins(y=0.08)
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)
    axes.set_xlabel("arithmetic, GFLOP an image", fontsize=12)


def _label(axes: Axes, words: str, work: float, value: float) -> None:
    """Ring a point and name it, on what is drawn beneath."""
    from matplotlib.patheffects import withStroke

    axes.plot([work], [value], "o", markersize=14, markerfacecolor="none", markeredgecolor="black")
    axes.annotate(
        words,
        (work, value),
        xytext=(10, 0),
        textcoords="offset points",
        verticalalignment="center",
        fontsize=12,
        fontweight="bold",
        path_effects=[withStroke(linewidth=4, foreground="white")],
    )
