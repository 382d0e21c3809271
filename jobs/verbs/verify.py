"""``adabldm verify``: is an output what its index says?"""

from __future__ import annotations

from typing import Annotated

import typer

from adabldm.core.faults import ExitCode
from jobs.verbs import places


def main(
    output: Annotated[
        str, typer.Argument(callback=places.uri, help="Folder that generate wrote (URI).")
    ],
) -> None:
    """Check that every committed pair is there and whole, and that nothing else is.

    Files are compared with the sha256 in the index; masks must be black and white and of their
    image's size; a request that was rejected or failed must have a reason, and no pair; no file may
    be without a row, but for those that desktops leave (.DS_Store, Thumbs.db, desktop.ini, ._*).
    Ends with 1 and a list when something is wrong.

    \b
    adabldm verify out
    """
    from cluster.output.schema import FAILED, OK, REJECTED
    from cluster.output.verification import count_statuses, verify
    from cluster.storage.location import location
    from jobs.progress import Tracker

    places.refuse_missing("OUTPUT", output)
    place = location("OUTPUT", output)
    faults, passed_over = 0, list[str]()
    statuses = count_statuses(place)
    rows = statuses.total()
    with Tracker("verify", rows) as tracker:
        for fault in verify(place, tracker.update, passed_over.append):
            faults += 1
            print(fault)
    if passed_over:
        print(f"{len(passed_over)} files of a desktop's own passed over, such as {passed_over[0]}")
    if faults:
        print(f"{faults} faults in {rows} rows: {place.shown}")
        raise typer.Exit(ExitCode.STOPPED)
    others = [f"{statuses[name]} {name}" for name in (REJECTED, FAILED) if statuses[name]]
    which = f" ({', '.join([f'{statuses[OK]} pairs', *others])})" if others else ""
    print(f"{rows} rows{which}, all as they should be: {place.shown}")
