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

FIGURES = ("coverage", "agreement", "cl_dice", "accepted")
"""The judge's figures that are told, means over the pairs; ``accepted`` is a share."""

LEAD = ("coverage", "agreement")
"""Those that say whether training helped."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Figures by name ``before`` and ``after``; ``sheets`` is the folder of what was drawn."""

    name: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    sheets: str

    @property
    def helped(self) -> bool:
        """Whether the leading figures, taken together, rose."""
        return sum(self.after[name] - self.before[name] for name in LEAD) > 0


def looks_of(training: TrainingSpec) -> Looks | None:
    """What its log tells; None if there were not two looks."""
    from adabldm.training.options import BRANCH
    from cluster.train.store import SHEETS

    store = training.store(BRANCH)
    told = [json.loads(line) for line in store.log_lines()]
    found = [one for one in told if LEAD[0] in one]
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
    for heading in ("branch", *FIGURES):
        table.add_column(heading, no_wrap=True)
    for one in found:
        table.add_row(one.name, *(_cell(one, name) for name in FIGURES))
    Console(width=110, highlight=False).print(table)
    for one in found:
        typer.echo(f"{one.name}: sheets of before and after: {one.sheets}")
        if not one.helped:
            typer.echo(
                f"warning: {one.name}: training did not help: {_cell(one, LEAD[0])} of the mask is "
                "filled; try more --steps or another --learning-rate, or use the base",
                err=True,
            )


def _cell(one: Looks, name: str) -> str:
    values = (figures.get(name) for figures in (one.before, one.after))
    return " -> ".join("-" if value is None else f"{value:.2f}" for value in values)
