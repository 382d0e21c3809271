"""``adabldm pairs``: the examples that ``adabldm train`` sees, written down to be looked at."""

from __future__ import annotations

import csv
import io
import time
from typing import Annotated, Literal

import typer

from adabldm.core.faults import InputFault
from adabldm.data.options import DatasetOptions
from adabldm.sampling.options import Resolution
from cluster.storage.location import location
from jobs.progress import Tracker
from jobs.verbs import dataset_options as given
from jobs.verbs import places

LIST = "pairs.csv"
COLUMNS = ("index", "object", "defect", "image", "trimap", "prompt")


def write_pairs(
    dataset_uri: str,
    write: str,
    *,
    count: int,
    seed: int = 0,
    size: int = 256,
    seam: Literal["hard", "soft", "membrane"] = "soft",
    resolution: Resolution = "native",
    object_name: str | None = None,
    prompts: str | None = None,
    options: DatasetOptions | None = None,
) -> float:
    """Write examples 0 to ``count`` of a branch's training as files, and their list; those made a
    second.

    Raises :class:`InputFault` for a data set that cannot be used.
    """
    # Here, because the networks take seconds to load and `--help` needs none of them.
    from adabldm.core import images
    from adabldm.core.picture_uri import DatasetFault
    from adabldm.planning.object_pictures import PairFault
    from adabldm.training.examples import ExampleStream
    from adabldm.training.texts import training_texts

    folder = location("--write", write)
    places.refuse_unwritable("--write", folder)
    table = io.StringIO(newline="")
    lines = csv.writer(table)
    lines.writerow(COLUMNS)
    spent = 0.0
    objects = given.open_objects(dataset_uri, options or DatasetOptions())
    try:
        texts = training_texts(objects, object_name, prompts)
        examples = ExampleStream(
            objects,
            prompts=lambda item, defect: texts[item, defect],
            size=size,
            seed=seed,
            seam=seam,
            resolution=resolution,
        )
        with Tracker("pairs", count) as tracker:
            for index in range(count):
                began = time.monotonic()
                pair = examples[index]
                spent += time.monotonic() - began
                stem = f"{index:06d}"
                image, trimap = f"{stem}.png", f"{stem}_trimap.png"
                folder.join(image).write(images.encode_png(pair.image))
                folder.join(trimap).write(images.encode_png(pair.trimap))
                lines.writerow([index, pair.object, pair.defect, image, trimap, pair.prompt])
                tracker.update(index + 1)
    except (DatasetFault, PairFault) as fault:
        raise InputFault(f"DATASET: {fault}") from fault
    given.tell_left_out(examples.without_object)
    folder.join(LIST).write(table.getvalue().encode())
    return count / spent


@given.opens_data_sets()
def main(
    dataset_uri: given.Dataset,
    count: Annotated[int, typer.Option(min=1, help="Pairs to make.")],
    write: Annotated[
        str,
        typer.Option(callback=places.uri, help="Folder for the pictures and their list (any URI)."),
    ],
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1)] = 0,
    size: Annotated[
        int, typer.Option(min=16, max=2048, help="Side of the pictures, pixels.")
    ] = 256,
    seam: Annotated[
        Literal["hard", "soft", "membrane"],
        typer.Option(
            help="Pixels as they are; tone carried over; tone carried over place by place."
        ),
    ] = "soft",
    resolution: Annotated[
        Resolution,
        typer.Option(
            help="Windows of pictures at their own size, or whole pictures brought to --size."
        ),
    ] = "native",
    object_name: Annotated[
        str | None, typer.Option(help="The object's noun in prompts; default: its folder's name.")
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            callback=places.uri, help="YAML of templates and synonyms, as in `adabldm train`."
        ),
    ] = None,
    *,
    options: DatasetOptions,
) -> None:
    """Write training pairs: real defects, turned and scaled, pasted on good pictures.

    Training makes them in memory as it goes; this shows what it sees: pair i is the one that
    `adabldm train` makes of the same data set, seed, prompts, resolution and picture size (its
    base's), with the default seam and backbone, which are training's.

    \b
    adabldm pairs prepared/screw --count 64 --write pairs
    """
    rate = write_pairs(
        dataset_uri, write, count=count, seed=seed, size=size, seam=seam, resolution=resolution,
        object_name=object_name, prompts=prompts, options=options,
    )  # fmt: skip
    folder = location("--write", write)
    places.written(folder.join(LIST))
    typer.echo(f"made {count} pairs ({rate:.0f}/s, reading included): {folder.shown}")
