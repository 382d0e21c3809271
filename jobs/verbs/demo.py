"""``adabldm demo``: the whole way, from drawn pictures to verified pairs, on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from adabldm.core.faults import ExitCode
from jobs.verbs import places

OBJECT, NOUN = "brushed_metal", "metal surface"
GOOD, FLAWED = 24, 4
"""Pictures of the data set: good ones, and defective ones of each type."""
SIDE, EXTENT = 512, 256
"""Their side in pixels, and that of the part of it in which a defect lies."""
REQUESTS, SEED = 32, 1
WORKERS, BATCH_SIZE = 2, 4
REPORT = "report.html"
BAND = 1_000
"""First seed of the defective pictures, beyond those of the good ones."""


def draw_data_set(root: Path, side: int = 128, extent: int | None = None) -> Path:
    """Draw brushed metal with a few defects of each type, in MVTec layout; the object's folder.
    ``side`` and ``extent`` as :func:`adabldm.data.drawn_metal.draw_part`."""
    from adabldm.core import images
    from adabldm.data import drawn_metal

    folder = root / OBJECT
    pictures = {
        f"train/good/{number:03d}.png": drawn_metal.draw_part(number, side).image
        for number in range(GOOD)
    }
    for kind, defect in enumerate(drawn_metal.DEFECTS):
        for number in range(FLAWED):
            seed = BAND * (kind + 1) + number
            part = drawn_metal.draw_part(seed, side, defect, extent=extent)
            pictures[f"test/{defect}/{number:03d}.png"] = part.image
            pictures[f"ground_truth/{defect}/{number:03d}_mask.png"] = part.mask
    for name, pixels in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(images.encode_png(pixels))
    return folder


def run_demo(
    folder: Path,
    *,
    requests: int = REQUESTS,
    model: str = "embedded",
) -> Path:
    """Draw, prepare, plan, generate, verify and show: the contact sheet's path, beside which the
    report is (:data:`REPORT`).

    A folder that an earlier demo left, finished or not, is continued.
    Raises ``typer.Exit`` and :class:`~adabldm.core.faults.InputFault` as the verbs do.
    """
    from adabldm.judging.options import JudgeOptions
    from adabldm.sampling.options import FastOptions
    from cluster.generate.pool import Pool
    from cluster.generate.spec import GenerationSpec
    from jobs.sheets import contact_sheet
    from jobs.verbs import generate, plan, prepare, report, verify
    from jobs.verbs.judge_options import CANDIDATES, RETRIES

    data = draw_data_set(folder / "data", SIDE, EXTENT)
    typer.echo(f"drew {GOOD} good pictures and a few of each defect: {data}")
    prepared = folder / "prepared"
    prepare.main(str(data), str(prepared))
    planned = plan.make_plan(
        str(prepared), count=requests, seed=SEED, output=str(folder / "plan"), object_name=NOUN
    )
    typer.echo(f"planned {planned.rows} requests: {planned.manifest.shown}")
    typer.echo(f"generating on {WORKERS} CPU workers, in mode fast")
    output = folder / "pairs"
    spec = GenerationSpec(
        manifest=planned.manifest.path,
        model=model,
        output=str(output),
        pool=Pool(least=WORKERS, most=WORKERS, gpus=0, batch_size=BATCH_SIZE),
        options=FastOptions(),
        judge=JudgeOptions(candidates=CANDIDATES, retries=RETRIES),
        keep=("source", "trimap"),
    )
    try:
        generate.run(spec)
    except typer.Exit as ended:
        # What the judge has rejected was told; the pairs that were made are worth a look.
        if ended.exit_code != ExitCode.SOME_FAILED:
            raise
    verify.main(str(output))
    sheet = folder / "contact_sheet.png"
    contact_sheet.contact_sheet(str(output), sheet)
    report.write_report(str(output), str(folder / REPORT))
    return sheet


def main(
    output: Annotated[
        Path,
        typer.Option(
            callback=places.local,
            help="Folder for the data, the plan, the pairs, the sheet and the report.",
        ),
    ] = Path("demo"),
) -> None:
    """Draw a small data set, prepare it, plan 32 requests, make them here, verify, and show.

    What was made is shown on a sheet of pictures and in a report for the browser.

    Needs no data, no network and no GPU; takes minutes. Run again, it continues or finds all done.

    \b
    adabldm demo --output demo
    """
    started = time.monotonic()
    places.refuse_unwritable("--output", places.of_file(output))
    sheet = run_demo(output.absolute())
    typer.echo(f"look at {places.written(places.of_file(sheet))}")
    page = places.written(places.of_file(sheet.with_name(REPORT)))
    typer.echo(f"open {page} in a browser (done in {time.monotonic() - started:.0f} s)")
