"""What an output holds of what was asked for, counted by object and defect type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from cluster.output.index import Ledger
from cluster.output.schema import OK, REJECTED

MOST_KINDS = 20
"""Kinds of reason of one type that are told apart."""
OTHER = "other"
MOST_LETTERS, LONGEST = 80, 500
"""Letters of a kind, and of a reason that are looked at."""
VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\S*/\S*|[-+]?\d+(\.\d+)?(e[-+]?\d+)?%?", re.IGNORECASE)
"""What differs between reasons of one kind: quoted texts, paths, numbers."""
FIGURE = re.compile(r"([a-z][a-z0-9_]*) [-+]?(\d|nan|inf)")
COLUMNS = ("object", "defect", "status", "reason", "top_up")

Pair = tuple[str, str]
"""An object and a defect type."""


@dataclass
class TypeTally:
    """Pairs of one type: ``asked`` for (top-ups stand for pairs that were, so they do not count);
    ``made``; ``rejected`` and ``failed`` by the kinds of their reasons."""

    asked: int = 0
    made: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def short(self) -> int:
        """How many pairs are lacking."""
        return max(0, self.asked - self.made)

    def count(self, status: str, reason: str | None, rows: int, *, top_up: bool) -> None:
        """Count ``rows`` of one status and reason."""
        if not top_up:
            self.asked += rows
        if status == OK:
            self.made += rows
            return
        rejected = status == REJECTED
        reasons, kind = self.rejected if rejected else self.failed, kind_of(reason, rejected)
        reasons[kind if kind in reasons or len(reasons) < MOST_KINDS else OTHER] += rows


@dataclass(frozen=True)
class OutputTally:
    """The tallies of an output's types; ``top_ups`` is the number of the last top-up in it."""

    types: Mapping[Pair, TypeTally] = field(default_factory=dict)
    top_ups: int = 0

    @property
    def short(self) -> int:
        """How many pairs are lacking in all."""
        return sum(one.short for one in self.types.values())


def tally_of(ledger: Ledger) -> OutputTally:
    """Count the rows of an index, in memory that does not grow with them.

    Raises :class:`~adabldm.core.faults.JobFault`.
    """
    return ledger.insistently(lambda: _tally(ledger))


def _tally(ledger: Ledger) -> OutputTally:
    types: dict[Pair, TypeTally] = {}
    last = 0
    for rows, item, defect, status, reason, top_up in _grouped(ledger):
        one = types.setdefault((item, defect), TypeTally())
        one.count(status, reason, rows, top_up=top_up is not None)
        last = max(last, top_up or 0)
    return OutputTally(dict(sorted(types.items())), last)


def kind_of(reason: str | None, rejected: bool = False) -> str:
    """What reasons of one kind have in common: the words, without what is quoted, paths and
    numbers; of a pair that was ``rejected`` the names of the figures that miss their limits
    (``coverage 0.31 is below 0.5; ...``)."""
    text = (reason or "no reason")[:LONGEST]
    figures = [FIGURE.match(part) for part in text.split("; ")] if rejected else []
    if names := [figure[1] for figure in figures if figure]:
        return " + ".join(names)
    return " ".join(VARYING.sub("...", text).split())[:MOST_LETTERS]


def _grouped(ledger: Ledger) -> Iterator[tuple[int, str, str, str, str | None, int | None]]:
    """(rows, object, defect, status, reason, top_up) of groups of equal rows of a batch."""
    there = set(ledger.columns().names)
    columns = [name for name in COLUMNS if name in there]
    for batch in ledger.read(columns):
        table = pa.Table.from_batches([batch])
        if "top_up" not in there:
            table = table.append_column("top_up", pa.nulls(table.num_rows, pa.int64()))
        groups = table.group_by(list(COLUMNS)).aggregate([([], "count_all")])
        for row in groups.to_pylist():
            yield row["count_all"], *(row[name] for name in COLUMNS)
