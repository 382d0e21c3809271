"""``adabldm evaluate``: how good is a detector, by its score maps or by what it learned from; and
how good are pairs?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adabldm.core.faults import InputFault
from adabldm.core.mask_rule import AUTO as AUTO_RULE
from adabldm.data.options import AUTO
from cluster.storage.location import Location, location
from jobs.progress import Tracker
from jobs.verbs import arm_options as arms_given
from jobs.verbs import dataset_options as given
from jobs.verbs import evaluate_arms, evaluate_pairs, places

if TYPE_CHECKING:
    from rich.table import Table

    from adabldm.core.progress import Progress
    from adabldm.evaluation.figures import Figures
    from adabldm.evaluation.scoring import Evaluation

IMAGE_SCORE = "maximum of the map"
WIDTH = 200
"""Of the table, where nobody says how wide the terminal is."""

SHOWN = {
    "pixel_ap": "pixel AP",
    "pixel_auroc": "pixel AUROC",
    "pixel_f1": "F1",
    "pixel_iou": "IoU",
    "pixel_cldice": "clDice",
    "aupro": "AUPRO",
    "iap": "IAP",
    "iap90": "IAP90",
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "false_alarms_at_full_recall": "false alarms",
}
"""Columns of the table."""


def evaluate_maps(
    dataset_uri: str, scores_uri: str, *, layout: str = AUTO, mask_rule: str = str(AUTO_RULE)
) -> dict[str, Any]:
    """The figures of the maps at ``scores_uri`` on what the data set tests on, as they are written
    down (docs/evaluation.md).

    Raises :class:`InputFault` naming the option, the file and what is wrong with it.
    """
    found, side = _evaluation(dataset_uri, scores_uri, layout, mask_rule)
    return {
        "data_set": dataset_uri,
        "scores": scores_uri,
        "tested_on": side,
        "image_score": IMAGE_SCORE,
        **_content(found),
    }


def _evaluation(
    dataset_uri: str, scores_uri: str, layout: str, mask_rule: str
) -> tuple[Evaluation, str]:
    # Here, because they take a second to load.
    from adabldm.core.picture_uri import DatasetFault
    from adabldm.data.layouts import Tree
    from adabldm.evaluation import map_folder, scoring
    from adabldm.evaluation.tested import open_test_side

    try:
        side = open_test_side(dataset_uri, layout, mask_rule, _said("DATASET"))
        with _from("--scores", DatasetFault):
            maps = map_folder.match(Tree(scores_uri), side)
        for remark in maps.remarks:
            _said("--scores")(remark)
        with _told("look at maps") as progress:
            known = map_folder.ScoreMaps(maps, side, progress)
        with _told("evaluate") as progress:
            return scoring.evaluate(side.pictures, known.read, progress), side.side
    except map_folder.MapsFault as fault:
        raise InputFault(*(f"--scores: {line}" for line in fault.lines)) from fault
    except DatasetFault as fault:
        raise InputFault(*(f"DATASET: {line}" for line in str(fault).splitlines())) from fault


@contextmanager
def _from(field: str, kind: type[Exception]) -> Iterator[None]:
    """Faults of a ``kind`` in the block are about ``field``."""
    try:
        yield
    except kind as fault:
        raise InputFault(f"{field}: {fault}") from fault


def _said(field: str) -> Callable[[str], None]:
    return lambda line: typer.echo(f"{field}: {line}", err=True)


@contextmanager
def _told(title: str) -> Iterator[Progress]:
    """Shows how far a step is, from its first result on."""
    with Tracker(title, 1) as tracker:

        def tell(done: int, total: int) -> None:
            tracker.expect(total)
            tracker.update(done)

        yield tell


def _content(found: Evaluation) -> dict[str, Any]:
    several = len(found.by_object) > 1
    by_object = {
        name: {**figures.as_dict(), "by_type": _by_type(found.by_type[name])}
        for name, figures in found.by_object.items()
    }
    if not several:
        return next(iter(by_object.values()))
    flat = {
        f"{name}/{defect}": figures
        for name, types in found.by_type.items()
        for defect, figures in types.items()
    }
    return {**found.in_all.as_dict(), "by_type": _by_type(flat), "by_object": by_object}


def _by_type(types: dict[str, Figures]) -> dict[str, Any]:
    return {defect: figures.as_dict() for defect, figures in types.items()}


def overview(content: dict[str, Any]) -> Table:
    """The figures, in percent: a row a type, then by object, then in all."""
    from rich.table import Table

    table = Table()
    table.add_column("", overflow="fold")
    for title in ("defective", "good", *SHOWN.values()):
        table.add_column(title, justify="right")
    for defect, figures in content["by_type"].items():
        table.add_row(defect, *_cells(figures))
    table.add_section()
    for name, figures in content.get("by_object", {}).items():
        table.add_row(name, *_cells(figures))
    table.add_section()
    table.add_row("mean of objects" if "by_object" in content else "in all", *_cells(content))
    return table


def _cells(figures: dict[str, Any]) -> list[str]:
    counts = [str(figures["defective_pictures"]), str(figures["good_pictures"])]
    values = [figures[name] for name in SHOWN]
    return counts + ["-" if value is None else f"{100 * value:.1f}" for value in values]


def main(
    dataset_uri: given.Dataset,
    scores: Annotated[
        str | None,
        typer.Option(
            callback=places.uri,
            help="Folder of the detector's score maps, one a test picture (any URI): "
            "<test folder>/<stem>.npy (float), .tiff (float) or .png (16 bits).",
        ),
    ] = None,
    json_file: Annotated[
        str | None,
        typer.Option("--json", callback=places.uri, help="File for the figures (any URI)."),
    ] = None,
    layout: Annotated[
        str, typer.Option(help="Of a raw data set: mvtec, btad, visa, coco, ...; auto detects it.")
    ] = AUTO,
    mask_rule: Annotated[
        str, typer.Option(help="Which pixels of a raw data set's masks are the defect.")
    ] = str(AUTO_RULE),
    output: arms_given.Output = None,
    pairs: arms_given.Pairs = None,
    arms: arms_given.Arms = None,
    detector: arms_given.Detector = None,
    seeds: arms_given.Seeds = 3,
    pairs_counts: arms_given.PairsCounts = None,
    shots: arms_given.Shots = None,
    steps: arms_given.Steps = None,
    window: arms_given.Window = None,
    width: arms_given.Width = None,
    backbone: arms_given.Backbone = None,
    workers: arms_given.Workers = None,
    gpus_per_task: arms_given.Gpus = None,
) -> None:
    """Score a detector by its maps (--scores), train some with and without pairs (--output), or
    compare pairs with held-out real defects (--pairs --json).

    With --scores, whoever made the detector: of a folder from `adabldm prepare` the held-out side
    is tested on; of a raw data set all pictures that are not for training. A map may have any size
    of its picture's shape: it is resized bilinearly to the mask's; another ratio of width to height
    is refused. Only the order of scores counts, the higher the more defective. A picture's own
    score is the highest of its map. By type: the type's pictures and all good ones; of several
    objects: the mean over them.

    With --output, a prepared data set: the same detector is trained on the few real defects (few),
    with pasted ones (cutpaste), Perlin textures (perlin) or blended patches (poisson) at the places
    of the pairs, with the pairs (ours), both (ours+cutpaste), the pairs alone (ours-only), or all
    real defects of the training side (all-real); each for as many steps, tested on the held-out
    side after the last one. Interrupted and run again it goes on; other arms, detectors, seeds and
    counts are added to what is there.

    With --pairs and --json alone, a prepared data set: how far the accepted pairs of each type are
    from the held-out real ones (KID), and how varied (LPIPS-style and IC-LPIPS diversity), on the
    features of a named --backbone. All figures are defined in docs/evaluation.md.

    \b
    adabldm evaluate prepared --scores maps --json figures.json
    adabldm evaluate prepared --pairs pairs --arms few,cutpaste,ours --output comparison
    adabldm evaluate prepared --pairs pairs --json generation.json
    """
    places.refuse_missing("DATASET", dataset_uri)
    if scores is None and output is None and pairs is not None and json_file is not None:
        _refuse_foreign({"--arms": arms, "--detector": detector}, "--output")
        evaluate_pairs.run(dataset_uri, pairs, json_file, backbone)
        return
    if (scores is None) == (output is None):
        rule = (
            "one of --scores DIR --json FILE, --pairs PAIRS --output URI, --pairs PAIRS --json FILE"
        )
        raise InputFault(f"--scores, --output: {rule}")
    if output is None:
        assert scores is not None  # noqa: S101
        _refuse_foreign({"--pairs": pairs, "--arms": arms}, "--output")
        if json_file is None:
            raise InputFault("--json: is missing: --scores needs a file for the figures")
        _score(dataset_uri, scores, json_file, layout, mask_rule)
        return
    _refuse_foreign({"--json": json_file}, "--scores")
    evaluate_arms.run(
        arms_given.Asked(
            dataset=dataset_uri,
            output=output,
            pairs=pairs,
            arms=arms,
            detector=detector,
            seeds=seeds,
            pairs_counts=pairs_counts,
            shots=shots,
            steps=steps,
            window=window,
            width=width,
            backbone=backbone,
            workers=workers,
            gpus=gpus_per_task,
        )
    )


def _refuse_foreign(said: dict[str, str | None], needs: str) -> None:
    for option, value in said.items():
        if value is not None:
            raise InputFault.of(option, value, f"is for {needs}, which is not said")


def _score(dataset_uri: str, scores: str, json_file: str, layout: str, mask_rule: str) -> None:
    """Score the maps, write the figures and show them."""
    from rich.console import Console

    places.refuse_missing("--scores", scores)
    place = location("--json", json_file)
    places.refuse_unwritable("--json", place, folder=False)
    content = evaluate_maps(dataset_uri, scores, layout=layout, mask_rule=mask_rule)
    _write(place, content)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(overview(content))
    tested = f"{content['defective_pictures']} defective and {content['good_pictures']} good"
    typer.echo(f"{tested} pictures ({content['tested_on']}), figures: {places.written(place)}")


def _write(place: Location, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    place.write(text.encode() + b"\n")
