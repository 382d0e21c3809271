"""How far a long command is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_SECONDS = 15.0


class Tracker:
    """Counts up to ``total``; use as a context. The rate is that of this run. ``tell`` gets what is
    told now and then, in place of a terminal."""

    def __init__(
        self, title: str, total: int, done: int = 0, tell: Callable[..., None] | None = None
    ) -> None:
        self._tell = tell
        self._title, self._total, self._before = title, total, done
        self._began = self._told = time.monotonic()
        self._first: tuple[float, int] | None = None
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console,
            disable=tell is not None or not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total, completed=done, rate="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def expect(self, total: int) -> None:
        """``total`` are to be counted, where that was not known from the beginning."""
        self._total = total
        self._bar.update(self._task, total=total)

    def update(self, done: int, note: str = "") -> None:
        """``done`` of all, those before this run included; ``note`` follows the rate."""
        now = time.monotonic()
        if self._first is None and done > self._before:
            self._first = (now, done)
        told = ", ".join(part for part in (self._rate(now, done), note) if part)
        self._bar.update(self._task, completed=done, rate=told)
        if self._bar.disable and now - self._told >= LINE_SECONDS:
            self._told = now
            if self._tell is not None:
                self._tell(rows=done, of=self._total, told=told or "starting")
                return
            print(f"{self._title}: {done}/{self._total}, {told or 'starting'}", file=sys.stderr)

    def _rate(self, now: float, done: int) -> str:
        """Since the first result: starting up is no part of the pace."""
        if self._first is None or done <= self._first[1]:
            return ""
        rate = (done - self._first[1]) / (now - self._first[0])
        left = (self._total - done) / rate
        return f"{per_second(rate)}, {duration(left)} left"


def per_second(rate: float) -> str:
    """``rate`` to three digits, above 100 to whole ones."""
    return f"{rate:.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def duration(seconds: float) -> str:
    """``seconds`` as a person says it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
