"""``adabldm verify``: is an output what its index says?"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from adabldm.core.faults import ExitCode, JobFault


def main(
    output: Annotated[str, typer.Argument(help="Folder that generate wrote (URI).")],
) -> None:
    """Check that every committed pair is there and whole, and that nothing else is.

    Files are compared with the sha256 in the index; masks must be black and white and of their
    image's size; no file may be without a row. Ends with 1 and a list when something is wrong.

    \b
    adabldm verify out
    """
    from cluster.output.verification import count_rows, verify
    from cluster.storage.location import location
    from jobs.progress import Tracker

    place = location("output", output)
    faults = 0
    try:
        rows = count_rows(place)
        with Tracker("verify", rows) as tracker:
            for fault in verify(place, tracker.update):
                faults += 1
                print(fault)
    except JobFault as fault:
        print(fault, file=sys.stderr)
        raise typer.Exit(ExitCode.STOPPED) from fault
    if faults:
        print(f"{faults} faults in {rows} rows: {place.shown}")
        raise typer.Exit(ExitCode.STOPPED)
    print(f"{rows} rows, all as they should be: {place.shown}")
