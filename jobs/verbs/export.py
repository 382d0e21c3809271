"""``adabldm export``: an output in the layout that another tool reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from adabldm.core.faults import InputFault
from jobs.verbs import places

if TYPE_CHECKING:
    from cluster.output.export.job import Exported
    from cluster.output.export.selection import GoodPicture

FormatName = Literal["mvtec", "coco", "yolo-seg", "webdataset", "hf", "imagefolder"]


def good_pictures(dataset_uri: str) -> list[GoodPicture]:
    """The good pictures of a data set: those that may be learned from are ``train``, the others
    ``test``. Raises :class:`InputFault`."""
    from adabldm.core.picture_uri import DatasetFault
    from adabldm.data.opening import open_dataset
    from cluster.output.export.selection import GoodPicture

    try:
        objects = open_dataset(dataset_uri, tell=_told)
    except DatasetFault as fault:
        raise InputFault(*(f"--good: {line}" for line in str(fault).splitlines())) from fault
    return [
        picture
        for one in objects
        for picture in (
            *(GoodPicture(object=one.name, uri=uri, split="train") for uri in one.good),
            *(GoodPicture(object=one.name, uri=uri, split="test") for uri in one.test_good),
        )
    ]


def _told(line: str) -> None:
    typer.echo(f"--good: {line}", err=True)


def main(
    output: Annotated[
        str,
        typer.Argument(metavar="OUTPUT", callback=places.uri, help="What generate wrote; any URI."),
    ],
    format_name: Annotated[FormatName, typer.Option("--format", help="The layout to write.")],
    target: Annotated[
        str, typer.Option("--output", callback=places.uri, help="An empty folder (any URI).")
    ],
    good: Annotated[
        str | None,
        typer.Option(
            callback=places.uri,
            help="Data set, prepared or as it is, whose good pictures are exported as well.",
        ),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Symbolic links instead of copies, on this machine.")
    ] = False,
) -> None:
    """Write the accepted pairs in another layout; interrupted and run again, it goes on.

    mvtec is MVTec AD whole, with train/good: from --good, or else the sources that `generate --keep
    source` has kept. coco has run lengths and a box for each connected part of a mask, yolo-seg an
    outline. webdataset are tars; hf is Parquet, and imagefolder pictures with metadata, for
    Hugging Face's `datasets`. Pairs are for training, unless the manifest had a column `split`
    (train, val, test); good pictures of --good keep theirs.

    \b
    adabldm export pairs --format coco --good prepared --output pairs_coco
    """
    from cluster.output.export.job import ExportSpec, export
    from cluster.storage.location import location
    from jobs.progress import Tracker

    places.refuse_missing("OUTPUT", output)
    places.refuse_missing("--good", good)
    place = location("--output", target)
    places.refuse_unwritable("--output", place)
    spec = ExportSpec(
        output=location("OUTPUT", output),
        target=place,
        format=format_name,
        good_of=good,
        link=link,
    )
    if good is not None:
        spec = spec.with_good(good_pictures(good))
    with Tracker("export", 1) as tracker:

        def tell(done: int, total: int) -> None:
            tracker.expect(total)
            tracker.update(done)

        done = export(spec, tell)
    typer.echo(f"{in_words(done)}: {places.written(place)}")


def in_words(done: Exported) -> str:
    """What was exported, in words."""
    notes = [f"{done.before} were there"] if done.before else []
    left_out = [f"{count} {status}" for status, count in sorted(done.left_out.items())]
    notes += [f"rows left out: {', '.join(left_out)}"] if left_out else []
    told = f"exported {done.pairs} pairs and {done.good} good pictures"
    return told + (f" ({'; '.join(notes)})" if notes else "")
