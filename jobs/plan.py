"""``adabldm plan``: a manifest of requests from a folder of pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from adabldm import dataset
from cluster.content_files import ContentFolder, write_whole
from cluster.faults import InputFault
from cluster.manifest_schema import SCHEMA
from cluster.names import name_fault, object_fault
from cluster.storage import Location, location
from jobs.progress import Tracker

Surface = Literal["auto", "object", "texture"]
ROWS_A_GROUP = 4096
REPORTED = 10
"""Requests without a place that are named; the others are counted."""

SOME_FAILED = 3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was written: ``rows`` requests at ``manifest``; ``unplaced`` found no place."""

    manifest: Location
    rows: int
    unplaced: int


def read_objects(uri: str, defects: list[str]) -> list[dataset.ObjectFolder]:
    """The object folders at ``uri`` with only the ``defects`` named (all when empty).

    Raises :class:`InputFault` if there is nothing to plan from, or a defect is not there.
    """
    try:
        objects = dataset.read_mvtec(uri)
    except (dataset.DatasetFault, ValueError, ImportError) as fault:
        raise InputFault(f"DATASET: {fault}") from fault
    known = sorted({name for folder in objects for name in folder.defect_types})
    for name in defects:
        if name not in known:
            raise InputFault.of("--defect", name, f"is one of {', '.join(known) or 'none'}")
    if defects:
        objects = [
            replace(folder, defects=tuple(d for d in folder.defects if d.defect in defects))
            for folder in objects
        ]
    usable = [folder for folder in objects if folder.defects]
    if not usable:
        raise InputFault.of("DATASET", uri, "holds test/<defect> with masks in ground_truth")
    for folder in usable:
        _check(folder)
    return usable


def _check(folder: dataset.ObjectFolder) -> None:
    if not folder.good:
        raise InputFault.of("DATASET", f"{folder.name}/train/good", "holds a picture")
    if rule := object_fault(folder.name):
        raise InputFault.of("DATASET", folder.name, rule)
    for name in folder.defect_types:
        if rule := name_fault(name):
            raise InputFault.of("DATASET", f"{folder.name}/test/{name}", rule)


def manifest_location(output: str) -> Location:
    """The manifest's own place: ``output`` if it ends with ``.parquet``, else a file in it."""
    place = location("--output", output)
    return place if place.name.endswith(".parquet") else place.join("manifest.parquet")


def make_plan(
    dataset_uri: str,
    *,
    count: int,
    seed: int,
    output: str,
    object_name: str | None = None,
    defects: list[str] | None = None,
    surface: Surface = "auto",
) -> Plan:
    """Write a manifest of ``count`` requests; its pictures are copied next to it.

    The manifest appears only when it is whole. Raises :class:`InputFault` for a data set that
    cannot be used, or on which nothing can be placed.
    """
    # Here, because the image libraries take a second to load and `--help` needs none of them.
    from jobs.planning import Planner, ProductPlanner

    objects = read_objects(dataset_uri, defects or [])
    if object_name and len(objects) > 1:
        raise InputFault.of("--object-name", object_name, f"names one of {len(objects)} objects")
    manifest = manifest_location(output)
    rows: list[dict[str, Any]] = []
    written = unplaced = 0
    with (
        write_whole(manifest) as handle,
        ContentFolder(
            manifest.parent.join(manifest.name.removesuffix(".parquet") + "_files")
        ) as files,
        pq.ParquetWriter(handle, SCHEMA, compression="zstd") as writer,
        Tracker("plan", count) as tracker,
    ):
        planner = Planner(
            [
                ProductPlanner(o, object_name or o.name.replace("_", " "), surface, files)
                for o in objects
            ],
            seed,
        )
        for index in range(count):
            row = planner.row(index)
            if row is None:
                unplaced += 1
                if unplaced <= REPORTED:
                    typer.echo(planner.describe(index), err=True)
            else:
                rows.append(row)
            if len(rows) == ROWS_A_GROUP or (rows and index == count - 1):
                writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
                written += len(rows)
                rows.clear()
            tracker.update(index + 1)
        if not written:
            raise InputFault.of("DATASET", dataset_uri, "a defect mask fits on a good picture")
    return Plan(manifest=manifest, rows=written, unplaced=unplaced)


def main(
    dataset_uri: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", help="An object's folder in MVTec layout, or a root of such."
        ),
    ],
    count: Annotated[int, typer.Option(min=1, help="Requests to plan.")],
    output: Annotated[str, typer.Option(help="A .parquet file, or a folder for it; any URI.")],
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1)] = 0,
    object_name: Annotated[
        str | None, typer.Option(help="The object's noun in prompts; default: its folder's name.")
    ] = None,
    defect: Annotated[
        list[str] | None, typer.Option(help="Only this defect type; may be repeated.")
    ] = None,
    surface: Annotated[
        Surface, typer.Option(help="Place defects inside the object, or anywhere on a texture.")
    ] = "auto",
) -> None:
    """Plan requests from a few real defects: which good picture, which defect, where.

    The same seed gives the same rows, and a longer plan begins with the shorter one. Exit code
    3 when some defects fit nowhere; these rows are named and left out.

    \b
    adabldm plan mvtec/screw --count 1000 --seed 7 --output s3://bucket/plans/screw.parquet
    adabldm plan tiles --object-name "magnetic tile" --defect crack --count 64 --output plan
    """
    started = time.monotonic()
    plan = make_plan(
        dataset_uri,
        count=count,
        seed=seed,
        output=output,
        object_name=object_name,
        defects=defect,
        surface=surface,
    )
    seconds = time.monotonic() - started
    typer.echo(
        f"planned {plan.rows} requests in {seconds:.1f} s ({plan.rows / seconds:.0f}/s)"
        f"{f', {plan.unplaced} without a place' if plan.unplaced else ''}: {plan.manifest.shown}"
    )
    if plan.unplaced:
        raise typer.Exit(SOME_FAILED)
