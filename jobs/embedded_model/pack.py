"""Only what the embedded model learns from, in one folder to take to another machine:
``python -m jobs.embedded_model.pack --data DATA --output few``.

``python -m jobs.embedded_model.train --data few`` reads it as it would read DATA. Drawn metal is
not in it: it is drawn where it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.embedded_model import sets
from jobs.embedded_model.packed import pack


def main(
    data: Annotated[str, typer.Option(help="Folder of the sets, MVTec layout")],
    output: Annotated[Path, typer.Option(help="Folder of the pack")],
    most_good: Annotated[
        int | None, typer.Option(min=1, help="At most so many good pictures an object")
    ] = None,
) -> None:
    """Copy what the embedded model learns from."""
    count = pack(sets.real_sets(data), output, most_good)
    print(f"{count} pictures and masks are in {output}")


if __name__ == "__main__":
    typer.run(main)
