"""``adabldm sheet``: a contact sheet of what a run made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.verbs import places


def main(
    output: Annotated[
        str,
        typer.Argument(metavar="OUTPUT", callback=places.uri, help="What generate wrote; any URI."),
    ],
    png: Annotated[Path, typer.Option(callback=places.local, help="The sheet's own file.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Pairs on the sheet.")] = 64,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Those that the judge rejected, with the reasons.")
    ] = False,
) -> None:
    """Draw a contact sheet: good image, trimap, result and amplified difference of each pair.

    The run must have been made with --keep source,trimap, and for rejected pairs with --keep
    source,trimap,rejected. A large run is sampled evenly.

    \b
    adabldm sheet s3://bucket/pairs --png pairs.png
    adabldm sheet pairs --rejected --png rejected.png
    """
    from jobs.sheets.contact_sheet import contact_sheet

    places.refuse_missing("OUTPUT", output)
    place = places.of_file(png)
    places.refuse_unwritable("--png", place, folder=False)
    drawn = contact_sheet(output, png, limit, rejected=rejected)
    typer.echo(f"drew {drawn} pairs: {places.written(place)}")
