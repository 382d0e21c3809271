"""The index, read once: what is counted of all rows, and the pairs that are shown."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from cluster.output.index import Ledger
from cluster.output.schema import OK, REJECTED
from cluster.output.tally import OutputTally, tally_of
from jobs.report.margin import Limit, tightest
from jobs.report.pace import Pace
from jobs.report.pair import COLUMNS, Pair, finite

MOST_LISTED = 50_000
"""Pairs that the gallery has at most; a larger output's are drawn evenly."""
CLOSE = 16
"""Worst accepted pairs, and best rejected ones."""
MOST_PROMPTS = 1000
"""Different prompts that are counted one by one."""

Item = TypeVar("Item")
Kind = tuple[str, str]
"""An object and a defect type."""


@dataclass(frozen=True, kw_only=True)
class Close:
    """A pair that is close to ``limit``, or misses it narrowly."""

    pair: Pair
    limit: Limit
    margin: float


@dataclass
class Survey:
    """``rows`` in all; ``pairs`` that are shown, in an order whose every beginning is a fair draw;
    ``prompts`` by type; ``seconds`` by step, with the number of requests that took it."""

    tally: OutputTally
    rows: int = 0
    pairs: list[Pair] = field(default_factory=list)
    worst_accepted: list[Close] = field(default_factory=list)
    best_rejected: list[Close] = field(default_factory=list)
    prompts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    more_prompts: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    timed: Counter[str] = field(default_factory=Counter)
    pace: Pace = field(default_factory=Pace)


def survey(ledger: Ledger, limits: list[Limit], most_listed: int = MOST_LISTED) -> Survey:
    """Read ``ledger``. Raises :class:`~adabldm.core.faults.JobFault`."""
    found = Survey(tally_of(ledger))
    listed = _Smallest[Pair](most_listed)
    accepted, rejected = _Smallest[Close](CLOSE), _Smallest[Close](CLOSE)
    for pair in _pairs(ledger, found):
        listed.offer(pair.rank, pair)
        close = tightest(pair.figures, limits)
        if close is None:
            continue
        margin, limit = close
        if pair.status == OK:
            accepted.offer((margin, pair.rank), Close(pair=pair, limit=limit, margin=margin))
        elif pair.status == REJECTED:
            rejected.offer((-margin, pair.rank), Close(pair=pair, limit=limit, margin=margin))
    found.worst_accepted, found.best_rejected = list(accepted), list(rejected)
    close_ids = {one.pair.request_id for one in (*found.worst_accepted, *found.best_rejected)}
    drawn = [pair for pair in listed if pair.request_id not in close_ids]
    close_pairs = [one.pair for one in (*found.worst_accepted, *found.best_rejected)]
    found.pairs = mixed([*drawn, *close_pairs])
    return found


def _pairs(ledger: Ledger, found: Survey) -> Iterator[Pair]:
    """All pairs; what is counted goes into ``found`` on the way."""
    there = set(ledger.columns().names)
    for batch in ledger.read([name for name in COLUMNS if name in there]):
        rows = batch.to_pylist()
        found.rows += len(rows)
        found.pace.add((row.get("made_by") for row in rows), (row.get("made_at") for row in rows))
        for row in rows:
            for name, value in finite(row.get("seconds")).items():
                found.seconds[name] += value  # type: ignore[assignment]
                found.timed[name] += 1
            pair = Pair.of(row)
            prompt = (pair.object, pair.defect, pair.prompt)
            if prompt in found.prompts or len(found.prompts) < MOST_PROMPTS:
                found.prompts[prompt] += 1
            else:
                found.more_prompts += 1
            yield pair


def mixed(pairs: Iterable[Pair]) -> list[Pair]:
    """``pairs`` in an order whose every beginning has all types and statuses in their shares;
    what has no picture is never first."""
    groups: dict[tuple[str, str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.object, pair.defect, pair.status), []).append(pair)
    placed = []
    for name, group in groups.items():
        group.sort(key=lambda pair: pair.rank)
        ahead = 0 if any(pair.pictures for pair in group) else 1
        share = 1 / (len(group) + ahead)
        placed += [(share * at, name, at, pair) for at, pair in enumerate(group, ahead)]
    return [pair for *_, pair in sorted(placed, key=lambda one: one[:3])]


class _Smallest(Generic[Item]):
    """The items with the smallest keys of all that are offered, smallest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[_Entry[Item]] = []

    def offer(self, key: Any, item: Item) -> None:
        entry = _Entry(key, item)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        elif self._heap and self._heap[0] < entry:
            heapq.heapreplace(self._heap, entry)

    def __iter__(self) -> Iterator[Item]:
        return (entry.item for entry in sorted(self._heap, reverse=True))


class _Entry(Generic[Item]):
    """Larger keys are less, so that a heap's first is the one to be replaced."""

    __slots__ = ("item", "key")

    def __init__(self, key: Any, item: Item) -> None:
        self.key, self.item = key, item

    def __lt__(self, other: _Entry[Item]) -> bool:
        return bool(self.key > other.key)
