"""``adabldm plan``: a manifest of requests from a data set."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from adabldm.core.faults import ExitCode, InputFault
from adabldm.data.options import DatasetOptions
from cluster.storage.local_cache import KeptFiles
from cluster.storage.location import Location, location
from cluster.storage.whole_files import ContentFolder, write_whole
from jobs.progress import Tracker, per_second
from jobs.verbs import dataset_options as given
from jobs.verbs import places
from jobs.verbs.plan_options import VarietyOptions, Where, model_namer, read_variety
from jobs.verbs.shortage import Pair, Shortage, no_place, read_shortage

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from adabldm.core.objects import ObjectFolder
    from adabldm.planning.place_maps import PlaceMaps
    from adabldm.planning.planner import PlanBlock
    from cluster.manifest.writer import TableMaker

MANIFEST, SUFFIX = "manifest", ".parquet"
REPORTED = 10
"""Requests without a place that are named; the others are counted."""
MOST_ROWS = 10**9
"""Of a plan: a top-up's own begin there."""
TOP_UP_IS_THERE = "is there already: generate it first, or remove it"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was written: ``rows`` requests at ``manifest``. ``unplaced`` rows found no place;
    they are at ``unplaced_list``, each with its reason. A top-up draws others for these; what it
    found no place for is still ``lacking``."""

    manifest: Location
    rows: int
    unplaced: int
    unplaced_list: Location
    lacking: Mapping[Pair, int]


def manifest_location(output: str, stem: str = MANIFEST) -> Location:
    """The manifest's own place: ``output`` if it ends with ``.parquet``, else ``stem`` in it."""
    place = location("--output", output)
    return place if place.name.endswith(SUFFIX) else place.join(stem + SUFFIX)


def files_location(output: str) -> Location:
    """The folder of the pictures that a plan uses; one for all plans in the folder ``output``."""
    manifest = manifest_location(output)
    return manifest.parent.join(manifest.name.removesuffix(SUFFIX) + "_files")


def unplaced_location(manifest: Location) -> Location:
    """The list of rows without a place; its name keeps it out of a manifest that is a folder."""
    return manifest.parent.join(f"_{manifest.name.removesuffix(SUFFIX)}_unplaced{SUFFIX}")


def make_plan(
    dataset_uri: str,
    *,
    count: int | None = None,
    shortage: Shortage | None = None,
    seed: int,
    output: str,
    object_name: str | None = None,
    defects: Sequence[str] = (),
    options: DatasetOptions | None = None,
    variety: VarietyOptions | None = None,
    model: str | None = None,
    where_sheet: Path | None = None,
) -> Plan:
    """Write a manifest of ``count`` requests, or of as many as an output's ``shortage`` asks for;
    its pictures are copied next to it.

    ``options`` say how the data set is opened, ``model`` is what rows say as their model, a
    template with ``{object}`` and ``{defect}``; ``where_sheet`` is a PNG of how likely places are.
    The manifest appears only when it is whole. Raises :class:`InputFault` for a data set that
    cannot be used, or on which nothing can be placed.
    """
    # Here, because the image libraries take a second to load and `--help` needs none of them.
    from adabldm.core.random_streams import RowStreams
    from adabldm.planning.planner import PlannedObject, Planner
    from adabldm.planning.top_up import TopUp
    from cluster.manifest.parts import real_defects_beside
    from cluster.manifest.real_defects import described, write_real_defects
    from cluster.manifest.writer import TableMaker

    model_of = model_namer(model)
    manifest = manifest_location(output, f"top_up_{shortage.top_up}" if shortage else MANIFEST)
    folder = files_location(output)
    places.refuse_unwritable("--output", manifest, folder=False)
    places.refuse_unwritable("--output", folder)
    if shortage and manifest.exists():
        raise InputFault.of("--output", manifest.shown, TOP_UP_IS_THERE)
    objects = given.open_objects(dataset_uri, options or DatasetOptions(), defects)
    if object_name and len(objects) > 1:
        raise InputFault.of("--object-name", object_name, f"names one of {len(objects)} objects")
    variety = variety or VarietyOptions()
    drawn = read_variety(variety, objects)
    lacking = _lacking(shortage, objects) if shortage else {}
    total = count or sum(lacking.values())
    kept = KeptFiles("places")
    real = list(described(objects, kept))
    maps = [_maps(folder, kept) if variety.where == "like-real" else None for folder in objects]
    with (
        write_whole(manifest) as handle,
        ContentFolder(folder) as files,
        Tracker("plan", total) as tracker,
    ):
        streams = RowStreams(seed)
        nouns = [object_name or folder.name.replace("_", " ") for folder in objects]
        planned = [
            PlannedObject(folder, noun, drawn, streams, files, some)
            for folder, noun, some in zip(objects, nouns, maps, strict=True)
        ]
        planner = Planner(planned, seed, drawn)
        top_up = shortage.top_up if shortage else None
        tables = TableMaker(planner, model_of, top_up, looks=variety.looks)
        further = TopUp(planner, shortage.top_up, lacking) if shortage else None
        blocks = further.blocks() if further else planner.blocks(total)
        plan = _write(blocks, tables, manifest, handle, tracker)
        given.tell_left_out([uri for item in planned for uri in item.goods.without_object])
        if not plan.rows:
            raise InputFault.of("DATASET", dataset_uri, "a defect mask fits on a good picture")
        write_real_defects(real_defects_beside(manifest), real)
        if where_sheet is not None:
            from jobs.sheets.where_sheet import where_sheet as draw

            draw(planner, objects, where_sheet)
    return replace(plan, lacking=further.lacking if further else {})


def _lacking(shortage: Shortage, objects: Sequence[ObjectFolder]) -> Mapping[Pair, int]:
    """What of the shortage the data set can bring; says what it cannot."""
    found, others = shortage.of((one.name, kind) for one in objects for kind in one.defect_types)
    if others:
        typer.echo(others, err=True)
    return found


def _maps(folder: ObjectFolder, kept: KeptFiles) -> PlaceMaps:
    """How likely the places of an object are, learned and told of."""
    from adabldm.core.picture_uri import DatasetFault
    from adabldm.foreground.grain import COHERENT
    from adabldm.foreground.object_masks import ObjectMasks
    from adabldm.planning.place_maps import PlaceMaps

    maps = PlaceMaps(folder, ObjectMasks(folder), kept)
    try:
        telling, outlined, grains = maps.telling, maps.outlined, maps.grains
    except DatasetFault as fault:
        raise InputFault(f"DATASET: {fault}") from fault
    on_the_object = maps.on_the_object
    for words, names in (
        ("placed where the real ones lie on the object", on_the_object),
        (
            "placed where it looks as around the real ones",
            [name for name in telling if name not in on_the_object],
        ),
        (
            "placed anywhere, the real ones' places tell nothing (too few, or all alike)",
            [name for name in folder.defect_types if name not in telling],
        ),
    ):
        if names:
            typer.echo(f"{folder.name}: {', '.join(names)}: {words}", err=True)
    for leaves, words in (
        (True, "set down across the object's outline, as these lie"),
        (False, "turned to the outline as these are, wholly on the object"),
    ):
        counted = Counter(
            folder.defects[n].defect for n, it in outlined.items() if it.leaves == leaves
        )
        if counted:
            told = ", ".join(f"{name} ({count})" for name, count in sorted(counted.items()))
            typer.echo(f"{folder.name}: {told}: {words}", err=True)
    if any(grain.coherent >= COHERENT for grain in grains.values()):
        typer.echo(f"{folder.name}: turned with the grain of the surface", err=True)
    return maps


def _write(
    blocks: Iterator[PlanBlock],
    tables: TableMaker,
    manifest: Location,
    handle: IO[bytes],
    tracker: Tracker,
) -> Plan:
    """Write the manifest to ``handle``, and the list of the rows that found no place."""
    from cluster.manifest.writer import manifest_writer, unplaced_writer

    missing = unplaced_location(manifest)
    missing.remove()
    written = unplaced = 0
    with ExitStack() as opened:
        writer = opened.enter_context(manifest_writer(handle))
        listing: pq.ParquetWriter | None = None
        for block in blocks:
            for table in tables.placed(block):
                writer.write_table(table)
                written += len(table)
                tracker.update(written + unplaced)
            without = tables.unplaced(block)
            if len(without):
                if listing is None:
                    file = opened.enter_context(write_whole(missing))
                    listing = opened.enter_context(unplaced_writer(file))
                listing.write_table(without)
                _report(without.slice(0, max(0, REPORTED - unplaced)))
                unplaced += len(without)
            tracker.update(written + unplaced)
    return Plan(
        manifest=manifest, rows=written, unplaced=unplaced, unplaced_list=missing, lacking={}
    )


def _report(unplaced: pa.Table) -> None:
    for row in unplaced.to_pylist():
        typer.echo(f"row {row['row']}: {row['object']}/{row['defect']}: {row['reason']}", err=True)


@given.opens_data_sets()
def main(
    dataset_uri: given.Dataset,
    output: Annotated[
        str,
        typer.Option(callback=places.uri, help="A .parquet file, or a folder for it; any URI."),
    ],
    count: Annotated[
        int | None, typer.Option(min=1, max=MOST_ROWS, help="Requests to plan.")
    ] = None,
    top_up: Annotated[
        str | None,
        typer.Option(
            callback=places.uri,
            help="In place of --count: what generate wrote (URI), to plan as many more requests a "
            "type as were rejected or failed there.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1)] = 0,
    object_name: Annotated[
        str | None, typer.Option(help="The object's noun in prompts; default: its folder's name.")
    ] = None,
    defect: Annotated[
        list[str] | None, typer.Option(help="Only this defect type; may be repeated.")
    ] = None,
    masks: Annotated[
        str,
        typer.Option(help="Kinds of mask and their shares: real, noise (drawn), morph (between)."),
    ] = "real",
    defects_per_image: Annotated[str, typer.Option(help="MIN:MAX, of one type.")] = "1",
    regions: Annotated[
        str | None,
        typer.Option(
            callback=places.uri, help="YAML: parts of the picture to which a type is confined."
        ),
    ] = None,
    where: Annotated[
        Where,
        typer.Option(
            help="Places and turns: like the real defects' (on the object, by its outline, with "
            "the grain), or the paper's, any that is wholly on the object."
        ),
    ] = "like-real",
    where_sheet: Annotated[
        Path | None,
        typer.Option(callback=places.local, help="PNG of how likely places are, to look at."),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            callback=places.uri, help="YAML: templates, synonyms, captions by object and type."
        ),
    ] = None,
    caption_prompts: Annotated[
        bool, typer.Option(help="A real defect's caption, where it has one, is its prompt.")
    ] = True,
    looks: Annotated[
        bool,
        typer.Option(
            help="Rows say how the real defect looks whose mask they place: fast starts from it."
        ),
    ] = True,
    model: Annotated[
        str | None,
        typer.Option(
            help="What rows say as their model: an alias of a branch, with {object} and {defect}, "
            "such as {object}/{defect}. Without it, generate's --model makes them."
        ),
    ] = None,
    *,
    options: DatasetOptions,
) -> None:
    """Plan requests from a few real defects: which good picture, which defect, where.

    The same seed gives the same rows, and a longer plan begins with the shorter one. Exit code
    3 when some defects fit nowhere; these rows are listed with their reason in a file of its own.
    The same options with --top-up in place of --count plan what an output is short of; generate
    with that manifest into the same output completes it.

    \b
    adabldm plan mvtec/screw --count 1000 --seed 7 --output s3://bucket/plans/screw.parquet
    adabldm plan tiles --object-name "magnetic tile" --defect crack --count 64 --output plan
    adabldm plan prepared --count 500 --masks real=0.5,noise,morph --defects-per-image 1:3 \\
        --regions regions.yaml --prompts prompts.yaml --output plan
    adabldm plan prepared --count 500 --where-sheet where.png --output plan
    adabldm plan prepared --count 500 --model "{object}/{defect}" --output plan
    adabldm plan prepared --top-up pairs --output plan
    """
    if (count is None) == (top_up is None):
        raise InputFault.of("--count", count, "exactly one of --count and --top-up is needed")
    if where_sheet is not None:
        if where == "anywhere":
            raise InputFault.of("--where-sheet", str(where_sheet), "needs --where like-real")
        places.refuse_unwritable("--where-sheet", places.of_file(where_sheet), folder=False)
    started = time.monotonic()
    shortage = read_shortage(top_up) if top_up else None
    if shortage and not shortage.pairs:
        typer.echo(f"nothing is short of {shortage.asked} pairs asked for: {shortage.place}")
        return
    plan = make_plan(
        dataset_uri,
        count=count,
        shortage=shortage,
        seed=seed,
        output=output,
        object_name=object_name,
        defects=defect or (),
        options=options,
        variety=VarietyOptions(
            masks=masks,
            defects_per_image=defects_per_image,
            captions=caption_prompts,
            prompts=prompts,
            regions=regions,
            where=where,
            looks=looks,
        ),
        model=model,
        where_sheet=where_sheet,
    )
    seconds = time.monotonic() - started
    manifest = places.written(plan.manifest)
    typer.echo(
        f"planned {plan.rows} requests in {seconds:.1f} s ({per_second(plan.rows / seconds)})"
        f"{f', {plan.unplaced} without a place' if plan.unplaced else ''}: {manifest}"
    )
    if plan.unplaced:
        typer.echo(f"rows without a place: {places.written(plan.unplaced_list)}", err=True)
    if plan.lacking:
        typer.echo(f"--top-up: {top_up!r}: {no_place(plan.lacking)}", err=True)
    if plan.lacking or (plan.unplaced and not shortage):
        raise typer.Exit(ExitCode.SOME_FAILED)
