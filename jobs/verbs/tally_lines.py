"""How ``adabldm generate`` ends: what was asked for, what was made, and what is lacking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cluster.generate.job import Outcome
from cluster.output.schema import FAILED, REJECTED
from cluster.output.tally import TypeTally


def lines(outcome: Outcome) -> Iterator[str]:
    """A line a type of what is in the output, then one of what this run did for its manifest."""
    for (item, defect), one in outcome.in_all.types.items():
        yield f"{item}/{defect}: {_of_type(one)}"
    run, before = outcome.this_run, outcome.before
    rejected, failed = before.get(REJECTED, 0) + run.rejected, before.get(FAILED, 0) + run.failed
    there = outcome.requests - run.committed
    told = f"made {run.made} pairs, {there} were there"
    if rejected:
        told += f", {rejected} of {outcome.requests} rejected"
    yield f"{told}, {failed} of {outcome.requests} failed: {outcome.output.shown}"


def hint(outcome: Outcome) -> str | None:
    """What to do about an output that is short; None for one that is not."""
    short = outcome.in_all.short
    if not short:
        return None
    place = outcome.output.shown
    return f"{short} pairs short; adabldm plan DATASET --top-up {place} plans as many more"


def _of_type(one: TypeTally) -> str:
    parts = [f"{one.asked} asked for", f"{one.made} made"]
    parts += [
        f"{reasons.total()} {name} ({_reasons(reasons)})"
        for name, reasons in ((REJECTED, one.rejected), (FAILED, one.failed))
        if reasons
    ]
    return ", ".join(parts)


def _reasons(reasons: Counter[str]) -> str:
    """The kinds of reason, those with most rows first."""
    ranked = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {kind}" for kind, count in ranked)
