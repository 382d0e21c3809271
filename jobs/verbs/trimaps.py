"""``adabldm trimaps``: a sheet of a plan's trimaps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.verbs import places


def main(
    manifest: Annotated[
        str,
        typer.Argument(metavar="MANIFEST", callback=places.uri, help="What plan wrote; any URI."),
    ],
    png: Annotated[Path, typer.Option(callback=places.local, help="The sheet's own file.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Trimaps on the sheet.")] = 64,
    allow_root: Annotated[
        list[str] | None,
        typer.Option(callback=places.root, help="Pictures may also come from below this URI."),
    ] = None,
) -> None:
    """Draw planned trimaps over their pictures, and plots of the defects' sizes and positions.

    The background is dimmed, the defect red. A large plan is sampled evenly.

    \b
    adabldm trimaps plan/manifest.parquet --png trimaps.png
    """
    from jobs.sheets.trimap_sheet import trimap_sheet

    place = places.of_file(png)
    places.refuse_unwritable("--png", place, folder=False)
    drawn = trimap_sheet(manifest, png, limit, allow_root or [])
    typer.echo(f"drew {drawn} trimaps: {places.written(place)}")
