"""The plot of adaptation variants: work against quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PANEL, GAP, LEFT, TOP, BOTTOM = (460, 360), 76, 70, 44, 144
LEGEND_COLUMNS = 6
SCALE = 2
"""Everything is drawn this many times larger and reduced, so that lines are smooth."""
Colour = tuple[int, int, int]
INK, GRID, PAPER = (30, 30, 30), (225, 225, 225), (255, 255, 255)
COLOURS = ((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189), (255, 127, 14),
           (120, 120, 120), (23, 160, 170), (188, 170, 30), (140, 86, 75))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Point:
    """``work`` in GFLOP (0 is drawn at the left edge), ``values`` one a panel; ``label`` is written
    beside it."""

    family: str
    name: str
    work: float
    values: tuple[float, ...]
    label: str = ""


class _Pen:
    """Draws in points on a sheet that is SCALE times larger."""

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self._sheet = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
        self._pen = ImageDraw.Draw(self._sheet)
        self._font = ImageFont.load_default(size=13 * SCALE)

    def text(self, x: float, y: float, words: str, anchor: str = "la") -> None:
        self._pen.text((x * SCALE, y * SCALE), words, INK, font=self._font, anchor=anchor)

    def line(self, *corners: float, colour: Colour = GRID, thick: int = 1) -> None:
        self._pen.line([c * SCALE for c in corners], fill=colour, width=thick * SCALE)

    def dot(self, x: float, y: float, colour: Colour) -> None:
        self._pen.ellipse([(c + d) * SCALE for d in (-5, 5) for c in (x, y)], colour)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._sheet.resize(self.size, Image.Resampling.LANCZOS).save(path)


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """A panel's place and ranges; ``powers`` of ten of the work, the first one standing for 0."""

    left: int
    powers: tuple[int, int]
    low: float
    high: float

    def x(self, work: float) -> float:
        first, last = self.powers
        power = math.log10(work) if work > 0 else first
        return self.left + (power - first) / (last - first) * PANEL[0]

    def y(self, value: float) -> float:
        return TOP + PANEL[1] * (1 - (value - self.low) / (self.high - self.low))


def _grid(pen: _Pen, axes: _Axes, title: str) -> None:
    pen.text(axes.left, TOP - 28, title)
    bottom, (first, last) = TOP + PANEL[1], axes.powers
    for power in range(first, last + 1):
        x = axes.x(10.0**power)
        pen.line(x, TOP, x, bottom)
        pen.text(x, bottom + 6, "none" if power == first else f"{10.0**power:g}", "ma")
    for tick in range(5):
        value = axes.low + (axes.high - axes.low) * (tick + 0.5) / 5
        pen.line(axes.left, axes.y(value), axes.left + PANEL[0], axes.y(value))
        pen.text(axes.left - 6, axes.y(value), f"{value:.1f}", "rm")
    pen.text(axes.left + PANEL[0] / 2, bottom + 26, "GFLOP an image", "ma")


def draw_frontier(points: Sequence[Point], titles: Sequence[str], path: Path) -> None:
    """One panel a title, with ``points[i].values[panel]`` over the work, logarithmic.

    Points of one family, in their order, are joined.
    """
    pen = _Pen(LEFT + len(titles) * (PANEL[0] + GAP), TOP + PANEL[1] + BOTTOM)
    worked = [point.work for point in points if point.work > 0]
    powers = math.floor(math.log10(min(worked))) - 1, math.ceil(math.log10(max(worked)))
    colours = dict(zip(dict.fromkeys(p.family for p in points), cycle(COLOURS)))
    for panel, title in enumerate(titles):
        values = [point.values[panel] for point in points]
        margin = 0.06 * (max(values) - min(values)) or 1.0
        axes = _Axes(
            left=LEFT + panel * (PANEL[0] + GAP),
            powers=powers,
            low=min(values) - margin,
            high=max(values) + margin,
        )
        _grid(pen, axes, title)
        for family, colour in colours.items():
            own = [(axes.x(p.work), axes.y(p.values[panel])) for p in points if p.family == family]
            for start, end in pairwise(own):
                pen.line(*start, *end, colour=colour, thick=2)
            for x, y in own:
                pen.dot(x, y, colour)
        for point in points:
            if point.label:
                x, y = axes.x(point.work), axes.y(point.values[panel])
                pen.text(x + 9, y, point.label, "lm")
    for index, (family, colour) in enumerate(colours.items()):
        row, column = divmod(index, LEGEND_COLUMNS)
        x, y = LEFT + 200 * column, TOP + PANEL[1] + 80 + 24 * row
        pen.dot(x, y, colour)
        pen.text(x + 12, y, family, "lm")
    pen.save(path)
