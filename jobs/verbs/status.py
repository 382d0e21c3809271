"""``adabldm status``: how far is an output?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.verbs import places

if TYPE_CHECKING:
    from cluster.output.status import Status

TICK_SECONDS = 2.0


def main(
    output: Annotated[
        str, typer.Argument(callback=places.uri, help="Folder that generate writes (URI).")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, for other programs.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Tell it again and again while a driver works.")
    ] = False,
) -> None:
    """Tell how far an output is, from any terminal, while it is made and afterwards.

    Requests with a row by their status and type, those that are pending, requests/s and the time
    left, worker hours and their cost so far (with generate's --price), what each worker has done,
    and the last failures. The rows are the index's; what is
    pending is what the driver told last, a few seconds ago.

    \b
    adabldm status out
    adabldm status s3://bucket/pairs --json --watch
    """
    from cluster.output.status import status_of
    from cluster.storage.location import location

    places.refuse_missing("OUTPUT", output)
    place = location("OUTPUT", output)
    while True:
        found = status_of(place)
        if as_json:
            print(json.dumps(asdict(found)), flush=True)
        else:
            print("\n".join(lines(found)), flush=True)
        if not watch or found.state != "running":
            return
        time.sleep(TICK_SECONDS)


def lines(found: Status) -> Iterator[str]:
    """What a person wants to know, the whole first."""
    from jobs.progress import duration

    told = f"{found.state}: {found.requests} requests, {found.ok} ok, {found.rejected} rejected, "
    told += f"{found.failed} failed, {found.pending} pending"
    if found.rate is not None and found.seconds_left is not None:
        told += f"; {found.rate:.2f}/s, {duration(found.seconds_left)} left"
    yield told
    if found.reason:
        yield f"  it says: {found.reason}"
    if found.worker_hours:
        cost = f", cost {found.cost:.2f}" if found.cost is not None else ""
        yield f"  so far {found.worker_hours:.2f} worker hours{cost}"
    for name, counts in found.types.items():
        yield f"  {name}: " + ", ".join(f"{count} {status}" for status, count in counts.items())
    for worker, count in sorted(found.workers.items()):
        yield f"  worker {worker}: {count}"
    for failure in found.last_failures:
        yield f"  failed {failure['request_id']}: {failure['reason']}"
