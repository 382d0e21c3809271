"""What two outputs of one manifest differ in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cluster.output.index import Ledger
from cluster.storage.location import Location

OF_THE_RUN = ("made_by", "made_at", "seconds", "quality")
"""Columns that tell of the run, not of the request."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Of as many ``requests``; ids ``lost``, with more than one row, and with a row or files other
    than the undisturbed run's, and in what."""

    requests: int
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    differing: dict[str, str] = field(default_factory=dict)


def rows_of(output: str) -> list[dict[str, Any]]:
    """The rows of an index."""
    ledger = Ledger(Location.of(output))
    return [row for batch in ledger.read() for row in batch.to_pylist()]


def compare(
    wanted: list[dict[str, Any]], found: list[dict[str, Any]], but: tuple[str, ...] = ()
) -> Difference:
    """Rows ``found`` against the ``wanted`` ones, columns ``but`` and those of the run apart."""
    counts = Counter(row["request_id"] for row in found)
    held = {row["request_id"]: row for row in found}
    differing = {}
    for row in wanted:
        other = held.get(row["request_id"])
        if other is None:
            continue
        columns = [name for name in row if name not in (*OF_THE_RUN, *but)]
        apart = [name for name in columns if _plain(row[name]) != _plain(other.get(name))]
        if apart:
            told = (f"{name}: {row[name]!r} is {other.get(name)!r}" for name in apart)
            differing[row["request_id"]] = "; ".join(told)
    return Difference(
        requests=len(wanted),
        lost=tuple(sorted({row["request_id"] for row in wanted} - set(held))),
        doubled=tuple(sorted(name for name, count in counts.items() if count > 1)),
        differing=differing,
    )


def _plain(value: Any) -> Any:
    """``value``, extras in an order that does not matter."""
    if isinstance(value, list):
        return sorted(map(str, value))
    return value
