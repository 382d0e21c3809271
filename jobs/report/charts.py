"""Figures as shapes: axes with sensible ticks, histograms, lines. Positions are in percent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

BINS = 36
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, kw_only=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From ``low`` to ``high``, by powers of ten if ``log``; about ``count`` ticks."""

    low: float
    high: float
    log: bool = False
    count: int = 5

    @classmethod
    def around(
        cls, values: Sequence[float] | np.ndarray, *, count: int = 5, zero: bool = False
    ) -> Axis:
        """One that ends at ticks; ``zero`` is on it if asked for."""
        low, high = float(np.min(values)), float(np.max(values))
        if zero:
            low, high = min(0.0, low), max(0.0, high)
        if low == high:
            pad = abs(low) / 2 or 0.5
            low, high = (low, high + 2 * pad) if zero and low >= 0 else (low - pad, high + pad)
        step = _step(high - low, count)
        ends = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        return cls(low=ends[0], high=ends[1], count=count)

    @classmethod
    def decades(cls, values: Sequence[float] | np.ndarray) -> Axis:
        """A logarithmic one for ``values`` above 0, that ends at 1, 2 or 5 times a power of ten."""
        low, high = float(np.min(values)) * (1 + 1e-9), float(np.max(values)) * (1 - 1e-9)
        marks = [
            step * 10.0**power
            for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
            for step in (1, 2, 5)
        ]
        first = max(mark for mark in marks if mark <= low)
        return cls(low=first, high=max(min(m for m in marks if m >= high), 10 * first), log=True)

    def at(self, value: float) -> float:
        """Where ``value`` lies, 0..100."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            share = (math.log10(max(value, self.low)) - low) / (high - low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 3)

    @cached_property
    def ticks(self) -> list[Tick]:
        if self.log:
            return [Tick(at=self.at(value), label=_plain(value)) for value in self._marks()]
        step = _step(self.high - self.low, self.count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        digits = max(0, math.ceil(-math.log10(step) - 1e-9))
        while not math.isclose(round(step, digits), step):
            digits += 1
        return [
            Tick(at=self.at(number * step), label=signed(f"{number * step + 0.0:,.{digits}f}"))
            for number in range(first, last + 1)
        ]

    def _marks(self) -> list[float]:
        """1, 2 and 5 times the powers of ten, or only some of these, so that few are left."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 4)):
            marks = [step * 10.0**power for power in powers[::every] for step in steps]
            found = [m for m in marks if self.low * (1 - 1e-9) <= m <= self.high * (1 + 1e-9)]
            if len(found) <= self.count:
                break
        return found

    @property
    def edges(self) -> np.ndarray:
        """Of :data:`BINS` bins."""
        if self.log:
            return np.geomspace(self.low, self.high, BINS + 1)
        return np.linspace(self.low, self.high, BINS + 1)


def _plain(value: float) -> str:
    """Without an exponent."""
    return f"{value:,.0f}" if value >= 1 else f"{value:.{-math.floor(math.log10(value) + 1e-9)}f}"


def _step(span: float, count: int) -> float:
    """A round number that goes about ``count`` times into ``span``."""
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in STEPS if power * step >= rough * (1 - 1e-9))


def signed(number: str) -> str:
    """With a minus as long as a plus."""
    return number.replace("-", "−")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A box of a histogram, from the top left corner."""

    x: float
    y: float
    width: float
    height: float


def stacked(axis: Axis, groups: Sequence[np.ndarray], most: int | None = None) -> list[list[Bar]]:
    """The histograms of ``groups`` of values, each on top of the one before, the highest stack 100
    high (or ``most`` rows)."""
    edges = axis.edges
    counts = [np.histogram(np.clip(group, axis.low, axis.high), edges)[0] for group in groups]
    top = most or max(1, int(np.sum(counts, axis=0).max()))
    below = np.zeros(len(edges) - 1, int)
    width = 100 / (len(edges) - 1)
    found = []
    for one in counts:
        bars = [
            Bar(
                x=round(number * width, 3),
                y=round(100 - 100 * (base + count) / top, 3),
                width=round(width, 3),
                height=round(100 * count / top, 3),
            )
            for number, (base, count) in enumerate(zip(below.tolist(), one.tolist(), strict=True))
            if count
        ]
        below = below + one
        found.append(bars)
    return found
