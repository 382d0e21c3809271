"""``adabldm prepare``: look at a data set, split it, and write down what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from adabldm.core.faults import InputFault
from adabldm.data.options import DatasetOptions
from jobs.progress import Tracker
from jobs.verbs import dataset_options as given
from jobs.verbs import places

if TYPE_CHECKING:
    from rich.table import Table

    from adabldm.core.progress import Progress
    from adabldm.data.preparation import CheckedDataset, Outlined

WIDTH = 160
"""Columns of the table where there is no terminal."""


@given.opens_data_sets(
    split_seed=Annotated[int, typer.Option("--split-seed", "--seed", min=0, help=given.WHICH)]
)
def main(
    dataset_uri: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", callback=places.uri, help="Folder of a data set (any URI)."
        ),
    ],
    output: Annotated[
        str,
        typer.Option(callback=places.uri, help="Folder for the prepared data set (any URI)."),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at faults, and write nothing.")
    ] = False,
    foreground: Annotated[
        bool, typer.Option(help="Find the object in each good picture and write its mask.")
    ] = True,
    *,
    options: DatasetOptions,
) -> None:
    """Check every file of a data set, split its defects, and find its objects.

    Prints what was found and what is wrong, a line a kind where there are many; faults.csv has all
    with their paths. Faulty pictures are left out and the rest
    is used (exit code 0, the count is printed); with --strict they stop it (exit code 2). OUTPUT
    gets dataset.parquet, split.json, faults.csv and object masks; the pictures stay where they are.
    `adabldm plan` takes OUTPUT in the place of DATASET. A command that was interrupted is continued
    by running it again. It stops where it is doubtful what the object is (exit code 2).

    \b
    adabldm prepare mvtec/screw --output prepared/screw
    adabldm prepare s3://bucket/btad --shots 5 --split-seed 1 --strict --output s3://bucket/prepared
    """
    # Here, because the image libraries take a second to load and `--help` needs none of them.
    from adabldm.data import accounting, preparation
    from adabldm.data.prepared import INDEX
    from cluster.storage.location import location

    place, source = location("--output", output), location("DATASET", dataset_uri)
    if place.inside(source):
        raise InputFault.of("--output", output, "must not be inside DATASET")
    given.refuse_missing_places(dataset_uri, options)
    places.refuse_unwritable("--output", place)
    options = given.with_checked_backbone(options)
    with _told("check") as progress:
        checked = preparation.check(dataset_uri, options, progress)
    if strict and checked.faults:
        count = len(checked.faults)
        raise InputFault(
            *(f"DATASET: {line}" for line in accounting.lines(checked.faults)),
            f"DATASET: {dataset_uri!r}: has {count} faults, and --strict wants none",
        )
    place.join(INDEX).remove()

    def write_file(path: str, data: bytes) -> None:
        place.join(path).write(data)

    def read_file(path: str) -> bytes | None:
        kept = place.join(path)
        return kept.read() if kept.exists() else None

    if foreground:
        with _told("outline") as progress:
            outlined = preparation.outline(checked, options, write_file, progress, read_file)
    else:
        outlined = preparation.Outlined.unseen(checked)
    preparation.write(checked, outlined, options, write_file)
    places.written(place.join(INDEX))
    _tell(checked, outlined, place.shown)


@contextmanager
def _told(title: str) -> Iterator[Progress]:
    """Shows how far a step is, from its first result on."""
    with ExitStack() as opened:
        trackers: list[Tracker] = []

        def tell(done: int, total: int) -> None:
            if not trackers:
                trackers.append(opened.enter_context(Tracker(title, total)))
            trackers[0].update(done)

        yield tell


def _tell(checked: CheckedDataset, outlined: Outlined, output: str) -> None:
    from rich.console import Console

    from adabldm.data import accounting

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(overview(checked, outlined))
    for remark in checked.remarks:
        typer.echo(remark)
    for line in accounting.lines(checked.notes):
        typer.echo(line)
    faults = [*checked.faults, *outlined.faults]
    for line in accounting.lines(faults):
        typer.echo(line)
    used = sum(side != "left_out" for side in outlined.sides.values())
    typer.echo(
        f"{checked.layout} layout: {used} pictures used, {len(faults)} faults; "
        f"{checked.count(outlined)}: {output}"
    )


def overview(checked: CheckedDataset, outlined: Outlined) -> Table:
    """What was found: a row a defect type, the object's own figures on its first row."""
    from rich.table import Table

    table = Table()
    for title in ("object", "surface"):
        table.add_column(title, overflow="fold")
    for title in ("object masks", "good", "test good"):
        table.add_column(title, justify="right")
    table.add_column("size", overflow="fold")
    table.add_column("defect", overflow="fold")
    for title in ("few", "held out", "left out", "groups", "defect area, %"):
        table.add_column(title, justify="right")
    for name in checked.objects:
        for row in _rows(name, checked, outlined):
            table.add_row(*row)
        table.add_section()
    return table


def _rows(name: str, checked: CheckedDataset, outlined: Outlined) -> list[list[str]]:
    found = checked.of_object(name)
    side = outlined.sides
    goods = [side[f.picture.key] for f in found if f.picture.defect is None]
    first = [
        name,
        outlined.surfaces.get(name, "not looked at"),
        str(sum(f.picture.path in outlined.masks for f in found) or ""),
        str(goods.count("good")),
        str(goods.count("test_good")),
        f"{_span([f.width for f in found])} x {_span([f.height for f in found])}",
    ]
    rows: list[list[str]] = []
    for defect in sorted({f.picture.defect for f in found if f.picture.defect}):
        of_type = [f for f in found if f.picture.defect == defect]
        sides = [side[f.picture.key] for f in of_type]
        groups = {f.picture.group for f in of_type if f.picture.group is not None}
        areas = [100 * f.defect_share for f in of_type]
        rows.append(
            [
                *(first if not rows else [""] * len(first)),
                defect,
                *(str(sides.count(kind)) for kind in ("few", "held_out", "left_out")),
                str(len(groups) or ""),
                " to ".join(dict.fromkeys(f"{area:.2g}" for area in (min(areas), max(areas)))),
            ]
        )
    return rows or [[*first, "none", "", "", "", "", ""]]


def _span(sides: list[int]) -> str:
    low, high = min(sides), max(sides)
    return str(low) if low == high else f"{low}..{high}"
