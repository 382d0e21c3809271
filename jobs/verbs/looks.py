"""What a branch's training did to pairs on pictures that it does not see: before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from cluster.train.spec import TrainingSpec

FIGURES = ("coverage", "agreement", "cl_dice", "accepted", "real_distance")
"""The judge's figures that are told, means over the pairs; ``accepted`` is a share."""

WAYS = {"from noise": "", "from looks": "looks_"}
"""How pairs are drawn, and what the names of their figures begin with."""

LEAD = "real_distance"
"""What says whether training helped: how many times farther defects are from the real ones than
these are from each other."""

LESS = 0.1
"""So many of the pairs fewer may be accepted where training helped."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Figures by name ``before`` and ``after``; ``sheets`` is the folder of what was drawn."""

    name: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    sheets: str

    @property
    def helped(self) -> bool:
        """Whether pairs of both ways came nearer to real defects and were still accepted."""
        return self._risen(LEAD) < 0 and self._risen("accepted") >= -LESS

    def _risen(self, name: str) -> float:
        names = [way + name for way in WAYS.values() if way + name in self.before]
        risen = [self.after.get(one, self.before[one]) - self.before[one] for one in names]
        return sum(risen) / max(1, len(risen))


def looks_of(training: TrainingSpec) -> Looks | None:
    """What its log tells; None if there were not two looks."""
    from adabldm.training.options import BRANCH
    from cluster.train.store import SHEETS

    store = training.store(BRANCH)
    told = [json.loads(line) for line in store.log_lines()]
    found = [one for one in told if LEAD in one]
    if len(found) < 2:
        return None
    return Looks(
        name=training.name,
        before=found[0],
        after=found[-1],
        sheets=store.folder.join(SHEETS).shown,
    )


def tell_looks(trainings: Sequence[TrainingSpec]) -> None:
    """Print a table, where the sheets are, and a warning of each training that did not help."""
    found = [one for training in trainings if (one := looks_of(training)) is not None]
    if not found:
        return
    table = Table(title="pairs on pictures that training does not see", title_justify="left")
    for heading in ("branch", "pairs", *FIGURES):
        table.add_column(heading, no_wrap=True)
    for one in found:
        for way, prefix in WAYS.items():
            table.add_row(one.name, way, *(_cell(one, prefix + name) for name in FIGURES))
    Console(width=110, highlight=False).print(table)
    for one in found:
        typer.echo(f"{one.name}: sheets of before and after: {one.sheets}")
        if not one.helped:
            cells = ", ".join(f"{way} {_cell(one, p + LEAD)}" for way, p in WAYS.items())
            typer.echo(
                f"warning: {one.name}: training did not help: {cells} times as far from real "
                "defects as they are from each other; try more --steps or another "
                "--learning-rate, or use the base",
                err=True,
            )


def _cell(one: Looks, name: str) -> str:
    values = (figures.get(name) for figures in (one.before, one.after))
    return " -> ".join("-" if value is None else f"{value:.2f}" for value in values)
