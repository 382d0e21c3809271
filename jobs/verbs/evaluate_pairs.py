"""``adabldm evaluate --pairs --json``: how generated defects compare with held-out real ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from adabldm.evaluation.detectors import LITE0
from cluster.storage.location import location
from jobs.progress import Tracker
from jobs.verbs import places

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = {
    "kid": "KID",
    "kid_of_few": "KID of few",
    "diversity": "diversity",
    "diversity_of_real": "of real",
    "ic_diversity": "IC-LPIPS",
    "clusters": "clusters",
    "pairs": "pairs",
    "real": "real",
    "few": "few",
}
"""Columns of the table."""
WIDTH = 160
"""Of the table, where nobody says how wide the terminal is."""


def run(dataset: str, pairs: str, json_file: str, backbone: str | None) -> None:
    """Compare, write the figures and show them. Raises :class:`InputFault`."""
    from rich.console import Console

    from cluster.evaluate import generated

    places.refuse_missing("--pairs", pairs)
    place = location("--json", json_file)
    places.refuse_unwritable("--json", place, folder=False)
    with Tracker("evaluate (defects)", 1) as tracker:

        def tell(done: int, total: int) -> None:
            tracker.expect(total)
            tracker.update(done)

        content = generated.evaluate(dataset, location("--pairs", pairs), backbone or LITE0, tell)
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    place.write(text.encode() + b"\n")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(overview(content))
    if content["not_compared"]:
        left = ", ".join(content["not_compared"])
        typer.echo(f"not compared, for lack of pairs or of held-out defects: {left}", err=True)
    what = f"{content['pairs']} pairs beside {content['real']} held-out defects"
    typer.echo(f"{what}, on {content['features']}: {places.written(place)}")


def overview(content: dict[str, Any]) -> Table:
    """The figures, a row a type and one of their mean."""
    from rich.table import Table

    table = Table()
    table.add_column("", overflow="fold")
    for title in SHOWN.values():
        table.add_column(title, justify="right")
    for defect, figures in content["by_type"].items():
        table.add_row(defect, *_cells(figures))
    table.add_section()
    table.add_row("mean of types", *_cells(content))
    return table


def _cells(figures: dict[str, Any]) -> list[str]:
    def told(name: str) -> str:
        value = figures[name]
        if value is None or isinstance(value, int):
            return "-" if value is None else str(value)
        error = figures["kid_error"] if name == "kid" else None
        return f"{value:.3f}" + (f" ± {error:.3f}" if error is not None else "")

    return [told(name) for name in SHOWN]
