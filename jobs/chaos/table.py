"""The table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from jobs.chaos.rounds import Ended
from jobs.chaos.schedule import KINDS

SHOWN = 20


def show(rounds: Sequence[Ended], harmful: Counter[str], console: Console) -> bool:
    """Print faults by kind, and what became of the requests; whether all is as it should be.

    ``harmful`` are rows of the manifests that do harm, by kind.
    """
    struck = sum((one.struck for one in rounds), Counter[str]()) + harmful
    table = Table(title="faults", title_justify="left")
    for heading in ("of", "kind", "faults"):
        table.add_column(heading, justify="right" if heading == "faults" else "left")
    for kind, count in sorted(struck.items(), key=lambda item: (_of(item[0]), item[0])):
        table.add_row(_of(kind), kind, str(count))
    table.add_row("", "all", str(struck.total()))
    console.print(table)
    ends = Table(title="rounds", title_justify="left")
    for heading in ("output", "s", "faults", "drivers", "requests", "lost", "doubled", "differing",
                    "wrong besides"):  # fmt: skip
        ends.add_column(heading, justify="left" if heading == "output" else "right")
    for one in rounds:
        ends.add_row(*_cells(one))
    ends.add_row(*_sums(rounds))
    console.print(ends)
    wrong = [line for one in rounds for line in _wrong(one)]
    for line in wrong[:SHOWN]:
        console.print(line, soft_wrap=True, markup=False)
    if len(wrong) > SHOWN:
        console.print(f"... {len(wrong) - SHOWN} more")
    _show_ends(rounds, console)
    return not wrong


def _of(kind: str) -> str:
    return KINDS[kind].of if kind in KINDS else "rows"


def _figures(one: Ended) -> list[int]:
    d = one.difference
    return [one.struck.total(), one.ends.total(), d.requests, len(d.lost), len(d.doubled),
            len(d.differing), len(one.faults)]  # fmt: skip


def _cells(one: Ended) -> list[str]:
    return [one.place, f"{one.seconds:.0f}", *map(str, _figures(one))]


def _sums(rounds: Sequence[Ended]) -> list[str]:
    sums = [sum(column) for column in zip(*map(_figures, rounds), strict=True)]
    return ["all", f"{sum(one.seconds for one in rounds):.0f}", *map(str, sums)]


def _wrong(one: Ended) -> list[str]:
    d = one.difference
    lines = [f"lost: {name}" for name in d.lost] + [f"doubled: {name}" for name in d.doubled]
    lines += [f"differs: {name}: {what}" for name, what in d.differing.items()]
    return lines + list(one.faults)


def _show_ends(rounds: Sequence[Ended], console: Console) -> None:
    """How drivers ended, in their last lines."""
    ends = sum((one.ends for one in rounds), Counter[tuple[int, str]]())
    table = Table(title="how drivers ended", title_justify="left")
    for heading in ("code", "times", "last line"):
        table.add_column(heading)
    for (code, line), count in sorted(ends.items(), key=lambda item: (item[0][0], -item[1])):
        table.add_row(str(code), str(count), line)
    console.print(table)
