"""A model on every set that the embedded one learns from, in one table:
``python -m jobs.embedded_model.all_sets --data DATA``.

Each set is split as for training (:data:`jobs.embedded_model.sets.SETS`) and measured as
:mod:`jobs.embedded_model.measure` does. Run again with the same ``--json``, it goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from adabldm.core.objects import ObjectFolder
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.networks.embedded import embedded_path
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import options_of
from jobs.embedded_model import sets
from jobs.embedded_model.lite0 import open_lite0
from jobs.embedded_model.measure import measure_object

WAYS = {"ours": "1", "best": "N", "pasted_soft": "pasted"}
"""Columns of :mod:`jobs.embedded_model.figures_table`, and what the table calls them."""


def measurable(data: str) -> list[ObjectFolder]:
    """The sets below ``data`` that have good pictures nobody learned from."""
    found = []
    for name, (surface, shots) in sets.SETS.items():
        for item in open_dataset(f"{data.rstrip('/')}/{name}", DatasetOptions(shots=shots)):
            if item.test_good:
                found.append(replace(item, surface=surface))
    return found


def show(objects: Sequence[Mapping[str, Any]]) -> None:
    """A line a set and way."""
    table = Table(title_justify="left")
    headings = (
        "set", "way", "coverage", "10 %", "agreement", "clDice", "visible", "accepted",
        "KID lite0", "outside",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for figures in objects:
        for name, title in WAYS.items():
            one = figures["columns"][name]
            kid = one["kid_lite0"]
            table.add_row(
                figures["object"] if name == "ours" else "",
                title,
                f"{one['coverage']:.2f}",
                f"{one['coverage_low']:.2f}",
                f"{one['agreement']:.2f}",
                "-" if one["cl_dice"] is None else f"{one['cl_dice']:.2f}",
                f"{one['visible']:.0%}",
                f"{one['accepted']:.0%}",
                "-" if kid is None else f"{kid['value']:.3f} ± {kid['standard_error']:.3f}",
                str(one["outside"]),
            )
    Console(width=140).print(table)


def main(
    data: Annotated[str, typer.Option(help="Folder of the sets")],
    model: Annotated[Path | None, typer.Option(help="Model folder; default the embedded")] = None,
    count: Annotated[int, typer.Option(min=1, help="Pairs a set")] = 200,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates a pair")] = 4,
    mode: Annotated[str, typer.Option(help="exact or fast")] = "fast",
    strength: Annotated[
        float | None, typer.Option(help="Of fast: 1 starts from noise alone", min=0.01, max=1)
    ] = None,
    detail: Annotated[
        float | None, typer.Option(help="Of fast: the share of a look's detail put back")
    ] = None,
    sheets: Annotated[Path | None, typer.Option(help="Folder of the sheets to look at")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="The figures as JSON")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this set. Repeatable.")] = None,
) -> None:
    """Print the table of a model."""
    torch.set_num_threads(1)
    asked = {"strength": strength, "detail": detail}
    chosen = {name: value for name, value in asked.items() if value is not None}
    options, extractor = options_of(mode, **chosen), open_lite0()
    pipeline = AdaBLDMPipeline.from_pretrained(model or embedded_path())
    pipeline.set_progress_bar_config(disable=True)
    found: list[dict[str, Any]] = []
    if json_path is not None and json_path.exists():
        found = json.loads(json_path.read_text())
    done = {one["object"] for one in found}
    for item in measurable(data):
        if item.name in done or (only and item.name not in only):
            continue
        noun = sets.NOUNS.get(item.name, (item.name.replace("_", " "),))[0]
        found.append(
            measure_object(
                item,
                pipeline,
                extractor,
                noun=noun,
                count=count,
                options=options,
                candidates=candidates,
                sheets=sheets,
            )
        )
        if json_path is not None:
            json_path.parent.mkdir(parents=True, exist_ok=True)
            json_path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    show(found)


if __name__ == "__main__":
    typer.run(main)
