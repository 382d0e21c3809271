"""``adabldm report``: one page about an output, to be looked at by people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from adabldm.core.faults import InputFault
from jobs.verbs import places

if TYPE_CHECKING:
    from cluster.storage.location import Location
    from jobs.report.page import Report

MOST_THUMBNAILS = 50_000


def write_report(
    output_uri: str,
    target_uri: str | None = None,
    *,
    evaluation_uri: str | None = None,
    thumbnails: int | None = None,
) -> tuple[Report, Location]:
    """Write the page about the output, and say what is on it and where it is.

    Raises :class:`~adabldm.core.faults.InputFault` and :class:`~adabldm.core.faults.JobFault`.
    """
    from cluster.output.paths import REPORT
    from cluster.storage.location import location
    from jobs.progress import Tracker
    from jobs.report import evaluation
    from jobs.report.page import THUMBNAILS, report

    output = location("OUTPUT", output_uri)
    target = location("--output", target_uri) if target_uri else output.join(REPORT)
    places.refuse_unwritable("--output", target, folder=False)
    if target.inside(output) and target != output.join(REPORT):
        rule = f"is inside the output, where only {REPORT} may be; put it there, or elsewhere"
        raise InputFault.of("--output", target.shown, rule)
    shown = evaluation.read(location("--evaluation", evaluation_uri)) if evaluation_uri else None
    with Tracker("report", 1) as tracker:

        def tell(done: int, total: int) -> None:
            tracker.expect(total)
            tracker.update(done)

        page = report(
            output,
            target,
            evaluation=shown,
            thumbnails=THUMBNAILS if thumbnails is None else thumbnails,
            progress=tell,
        )
    target.write(page.html)
    return page, target


def main(
    output: Annotated[
        str,
        typer.Argument(metavar="OUTPUT", callback=places.uri, help="What generate wrote; any URI."),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            "--output",
            callback=places.uri,
            help="The page's own file (any URI); otherwise report.html inside OUTPUT.",
        ),
    ] = None,
    evaluation: Annotated[
        str | None,
        typer.Option(
            callback=places.uri, help="What evaluate wrote (its folder or JSON), to be drawn too."
        ),
    ] = None,
    thumbnails: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MOST_THUMBNAILS,
            help="Pairs with a thumbnail inside the page; each adds 1 to 3 kB. "
            "3000 if it is not said.",
        ),
    ] = None,
) -> None:
    """Write one HTML page: what was asked, made and rejected, the pairs, their quality.

    The page needs nothing but a browser: no server, no network. It links to the full pictures of
    the output relative to itself, so it may be moved together with the output. To see good pictures
    and rejected ones, generate with --keep source,trimap,rejected. An output of more than 50,000
    requests is counted whole, and shown by 50,000 that are drawn evenly.

    \b
    adabldm report pairs
    adabldm report pairs --evaluation evaluation --output pairs.html
    """
    places.refuse_missing("OUTPUT", output)
    page, target_place = write_report(
        output, target, evaluation_uri=evaluation, thumbnails=thumbnails
    )
    for lost in page.lost[:5]:
        typer.echo(f"{lost.path}: cannot be read: {lost.why}", err=True)
    if len(page.lost) > 5:
        typer.echo(f"... {len(page.lost) - 5} more pictures cannot be read", err=True)
    listed = "" if page.listed == page.rows else f", {page.listed} of them in the gallery"
    typer.echo(
        f"{page.rows} requests{listed}, {page.thumbnails} thumbnails, "
        f"{len(page.html) / 1e6:.1f} MB: {places.written(target_place)}"
    )
