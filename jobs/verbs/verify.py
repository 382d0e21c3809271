"""``adabldm verify``: is an output what its index says?"""

from __future__ import annotations

from typing import Annotated

import typer

from adabldm.core.faults import ExitCode, InputFault
from jobs.verbs import places


def main(
    output: Annotated[
        str, typer.Argument(callback=places.uri, help="Folder that generate wrote (URI).")
    ],
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Look at the files of N rows only, drawn at random, and not for files without a "
            "row.",
        ),
    ] = None,
) -> None:
    """Check that every committed pair is there and whole, and that nothing else is.

    Files are compared with the sha256 in the index; masks must be black and white and of their
    image's size; a request that was rejected or failed must have a reason, and no pair; no file may
    be without a row, but for those that desktops leave (.DS_Store, Thumbs.db, desktop.ini, ._*).
    Ends with 1 and a list when something is wrong.

    \b
    adabldm verify out
    adabldm verify s3://bucket/pairs --sample 1000
    """
    from cluster.output.schema import FAILED, OK, REJECTED
    from cluster.output.verification import count_statuses, verify
    from cluster.storage.location import location
    from jobs.progress import Tracker

    if sample is not None and sample < 1:
        raise InputFault.of("--sample", sample, "must be 1 or more")
    places.refuse_missing("OUTPUT", output)
    place = location("OUTPUT", output)
    faults, passed_over = 0, list[str]()
    statuses = count_statuses(place)
    rows = statuses.total()
    looked_at = rows if sample is None else min(sample, rows)
    with Tracker("verify", looked_at) as tracker:
        for fault in verify(place, tracker.update, passed_over.append, sample):
            faults += 1
            print(fault)
    if passed_over:
        print(f"{len(passed_over)} files of a desktop's own passed over, such as {passed_over[0]}")
    if faults:
        print(f"{faults} faults in {rows} rows: {place.shown}")
        raise typer.Exit(ExitCode.STOPPED)
    others = [f"{statuses[name]} {name}" for name in (REJECTED, FAILED) if statuses[name]]
    which = f" ({', '.join([f'{statuses[OK]} pairs', *others])})" if others else ""
    if sample is not None:
        which += f", the files of {looked_at} of them looked at"
    print(f"{rows} rows{which}, all as they should be: {place.shown}")
