"""How many requests each worker was done with, over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from jobs.report.charts import Tick

WIDTHS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400),
    *(7 * 86400, 30 * 86400, 365 * 86400),
)
"""Seconds that a bin may have."""
MOST_BINS = 50_000
"""Bins of all workers that are held while counting."""
MOST_COLUMNS, LEAST_COLUMNS = 96, 8
"""Of the chart; of few rows it has half as many as there are rows, or it would be mostly gaps."""
TICKS = 5
MINUTE, HOUR, DAY = 60, 3600, 86400
PAUSE, PAUSE_SECONDS = 8, 600
"""Columns without anything, and seconds, that are drawn as they are; of a longer pause only a gap
is."""
MOST_WORKERS = 32
"""That have a line of their own."""


@dataclass
class Pace:
    """Counts in memory that does not grow with the rows: bins are as wide as need be."""

    width: int = WIDTHS[0]
    bins: Counter[tuple[str, int]] = field(default_factory=Counter)
    untold: int = 0

    def add(self, workers: Iterable[str | None], times: Iterable[datetime | None]) -> None:
        """Count a row a worker and time."""
        for worker, at in zip(workers, times, strict=True):
            if worker is None or at is None:
                self.untold += 1
            else:
                self.bins[worker, int(at.timestamp()) // self.width] += 1
        while len(self.bins) > MOST_BINS and self.width < WIDTHS[-1]:
            self._widen()

    def _widen(self) -> None:
        wider = next(width for width in WIDTHS if width > self.width and width % self.width == 0)
        self.bins = _regrouped(self.bins, self.width, wider)
        self.width = wider


def _regrouped(bins: Counter[tuple[str, int]], width: int, wider: int) -> Counter[tuple[str, int]]:
    found: Counter[tuple[str, int]] = Counter()
    for (worker, number), count in bins.items():
        found[worker, number * width // wider] += count
    return found


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A worker's counts, one a column."""

    worker: str
    counts: list[int]

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """``starts`` of the columns of ``width`` seconds, None for a pause; ``strips`` of the busiest
    workers; ``all_counts`` of all; ``workers`` in all; ``active`` seconds, pauses apart."""

    width: int
    starts: list[datetime | None]
    strips: list[Strip]
    all_counts: list[int]
    workers: int

    @property
    def pauses(self) -> list[int]:
        """Columns that are one."""
        return [at for at, start in enumerate(self.starts) if start is None]

    @property
    def active(self) -> int:
        return self.width * (len(self.starts) - len(self.pauses))

    @property
    def total(self) -> int:
        return sum(self.all_counts)

    @property
    def heights(self) -> list[float]:
        """Of the columns, 0..100."""
        most = max(self.all_counts)
        return [round(100 * count / most, 2) for count in self.all_counts]

    @property
    def told(self) -> str:
        return duration(self.active)

    @property
    def width_told(self) -> str:
        return duration(self.width)

    @property
    def unit(self) -> str:
        return "a minute" if self._per_minute else "an hour"

    @property
    def mean(self) -> str:
        return self._rate(self.total, self.active)

    @property
    def peak(self) -> str:
        return self._rate(max(self.all_counts), self.width)

    @property
    def _per_minute(self) -> bool:
        return self.total * MINUTE >= self.active

    def _rate(self, count: int, seconds: int) -> str:
        rate = count * (MINUTE if self._per_minute else HOUR) / seconds
        return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"

    def runs(self, strip: Strip) -> list[tuple[int, int, float]]:
        """(first column, columns, opacity 0..1) of a strip's boxes; equal neighbours are one."""
        most = max(max(one.counts) for one in self.strips)
        found: list[tuple[int, int, float]] = []
        for at, count in enumerate(strip.counts):
            if not count:
                continue
            shade = round(0.2 + 0.8 * count / most, 2)
            if found and sum(found[-1][:2]) == at and found[-1][2] == shade:
                found[-1] = (found[-1][0], found[-1][1] + 1, shade)
            else:
                found.append((at, 1, shade))
        return found

    @property
    def ticks(self) -> list[Tick]:
        """Times of about five columns, with the date where it is another."""
        every = max(1, -(-len(self.starts) // TICKS))
        day: date | None = None
        found: list[Tick] = []
        clock = "%H:%M:%S" if self.width < MINUTE else "%H:%M"
        for at, start in list(enumerate(self.starts))[::every]:
            if start is None:
                continue
            form = clock if start.date() == day else f"%d %b {clock}" if found else clock
            if self.width >= DAY:
                form = "%d %b"
            found.append(Tick(at=round(100 * at / len(self.starts), 2), label=f"{start:{form}}"))
            day = start.date()
        return found


def duration(seconds: int) -> str:
    """In words, by its two largest units."""
    parts = []
    for name, size in (("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def chart_of(pace: Pace) -> Chart | None:
    """The chart, None where no row says when it was made."""
    if not pace.bins:
        return None
    most = min(MOST_COLUMNS, max(LEAST_COLUMNS, pace.bins.total() // 2))
    for width in (one for one in WIDTHS if one >= pace.width and one % pace.width == 0):
        bins = _regrouped(pace.bins, pace.width, width)
        columns = _columns({number for _, number in bins}, width)
        if len(columns) <= most:
            break
    place = {number: at for at, number in enumerate(columns) if number is not None}
    by_worker: dict[str, list[int]] = {}
    for (worker, number), count in bins.items():
        by_worker.setdefault(worker, [0] * len(columns))[place[number]] += count
    strips = [Strip(worker=name, counts=counts) for name, counts in by_worker.items()]
    busiest = sorted(strips, key=lambda strip: (-strip.total, strip.worker))[:MOST_WORKERS]
    return Chart(
        width=width,
        starts=[
            None if number is None else datetime.fromtimestamp(number * width, UTC)
            for number in columns
        ],
        strips=sorted(busiest, key=lambda strip: strip.worker),
        all_counts=[sum(some) for some in zip(*by_worker.values(), strict=True)],
        workers=len(by_worker),
    )


def _columns(numbers: set[int], width: int) -> list[int | None]:
    """The bins from the first to the last, long pauses as one None."""
    longest = max(PAUSE, PAUSE_SECONDS // width)
    found: list[int | None] = []
    before: int | None = None
    for number in sorted(numbers):
        if before is not None:
            gap = number - before - 1
            found += [None] if gap > longest else list(range(before + 1, number))
        found.append(number)
        before = number
    return found
