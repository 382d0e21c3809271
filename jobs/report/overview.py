"""What was asked, what was made, and why the rest was not: as rows of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.output.tally import OutputTally
from jobs.report.survey import Survey

MOST_PROMPTS = 5
"""Prompts that are told of a type."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Rows of the index; the bar's parts are ``made``, ``rejected`` and ``failed`` of ``drawn``."""

    asked: int
    made: int
    rejected: int
    failed: int

    @property
    def drawn(self) -> int:
        """All that were tried, top-ups included."""
        return self.made + self.rejected + self.failed

    @property
    def short(self) -> int:
        return max(0, self.asked - self.made)

    def percent(self, part: int) -> float:
        return round(100 * part / self.drawn, 2) if self.drawn else 0.0

    @property
    def accepted(self) -> str:
        """Percent of what was tried."""
        return f"{self.percent(self.made):.1f}"


@dataclass(frozen=True, kw_only=True)
class KindRow:
    object: str
    defect: str
    counts: Counts
    prompts: list[tuple[str, int]]
    more_prompts: int


@dataclass(frozen=True, kw_only=True)
class Reason:
    status: str
    kind: str
    count: int
    percent: float
    where: str


def total(tally: OutputTally) -> Counts:
    types = tally.types.values()
    return Counts(
        asked=sum(one.asked for one in types),
        made=sum(one.made for one in types),
        rejected=sum(one.rejected.total() for one in types),
        failed=sum(one.failed.total() for one in types),
    )


def kind_rows(found: Survey) -> list[KindRow]:
    """A row a type."""
    prompts: dict[tuple[str, str], Counter[str]] = {}
    for (item, defect, prompt), count in found.prompts.items():
        prompts.setdefault((item, defect), Counter())[prompt] += count
    rows = []
    for (item, defect), one in found.tally.types.items():
        ranked = sorted(prompts.get((item, defect), {}).items(), key=lambda p: (-p[1], p[0]))
        rows.append(
            KindRow(
                object=item,
                defect=defect,
                counts=Counts(
                    asked=one.asked,
                    made=one.made,
                    rejected=one.rejected.total(),
                    failed=one.failed.total(),
                ),
                prompts=ranked[:MOST_PROMPTS],
                more_prompts=max(0, len(ranked) - MOST_PROMPTS),
            )
        )
    return rows


def reasons(tally: OutputTally) -> list[Reason]:
    """The kinds of reasons, those with most rows first."""
    counts: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], Counter[str]] = {}
    several = len({item for item, _ in tally.types}) > 1
    for (item, defect), one in tally.types.items():
        for status, some in (("rejected", one.rejected), ("failed", one.failed)):
            for kind, count in some.items():
                counts[status, kind] += count
                name = f"{item}/{defect}" if several else defect
                where.setdefault((status, kind), Counter())[name] += count
    most = max(counts.values(), default=1)
    return [
        Reason(
            status=status,
            kind=kind,
            count=count,
            percent=round(100 * count / most, 2),
            where=_most_of(where[status, kind]),
        )
        for (status, kind), count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]


def _most_of(counts: Counter[str]) -> str:
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    text = ", ".join(f"{name} {count:,}" for name, count in ranked[:3])
    return text + (f" and {len(ranked) - 3} more" if len(ranked) > 3 else "")


def settings(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What ``run.json`` tells, flat: (name, value)."""
    found: list[tuple[str, str]] = []

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                add(f"{name}.{key}" if name else str(key), inner)
        elif isinstance(value, list):
            found.append((name, ", ".join(str(one) for one in value) or "none"))
        else:
            found.append((name, "none" if value is None else str(value)))

    for key, value in run.items():
        add("" if key == "config" else str(key), value)
    return found
