"""``adabldm generate``: from a manifest to image/mask pairs."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from adabldm.core.faults import (
    ExitCode,
    InputFault,
    JobFault,
    Terminated,
    of_the_world,
    one_line,
)
from adabldm.core.redaction import redacted
from adabldm.sampling.options import ExactOptions, FastOptions, options_of
from cluster.storage.location import location
from jobs.verbs import generate_format, places
from jobs.verbs import judge_options as judging
from jobs.verbs.export import FormatName
from jobs.verbs.generate_words import (
    BATCH_SIZE,
    parse_batch_size,
    parse_budget,
    parse_keep,
    parse_shards,
    parse_workers,
)

if TYPE_CHECKING:
    from cluster.generate.driver import Tally
    from cluster.generate.spec import GenerationSpec
    from cluster.output.export.job import ExportSpec

DEFAULTS, FAST = ExactOptions(), FastOptions()


def main(
    manifest: Annotated[
        str, typer.Option(callback=places.uri, help="Parquet file, or folder of them (URI).")
    ],
    model: Annotated[
        str,
        typer.Option(
            callback=places.model,
            help="'embedded', or the URI of a model's folder or checkpoint.",
        ),
    ],
    output: Annotated[
        str, typer.Option(callback=places.uri, help="Folder for the pairs and their index (URI).")
    ],
    branch: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ALIAS=URI",
            callback=places.branch,
            help="A branch trained on the model, and what rows call it in their column 'model' "
            "(repeatable).",
        ),
    ] = None,
    branches: Annotated[
        str | None,
        typer.Option(
            callback=places.uri,
            help="A folder of branches (URI), at any depth; a branch's alias is its path in it, "
            "such as screw/thread_top.",
        ),
    ] = None,
    mode: Annotated[
        Literal["exact", "fast"],
        typer.Option(
            help="'exact' is the paper's procedure; 'fast' does far less work and draws defects a "
            "little softer."
        ),
    ] = "exact",
    workers: Annotated[str, typer.Option(help="How many workers: MIN:MAX, or a number.")] = "1",
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            show_default="1; on a machine without a GPU 0",
            help="GPUs a worker holds; 0 runs on the CPU, one core a worker.",
        ),
    ] = None,
    batch_size: Annotated[
        str,
        typer.Option(
            metavar="N|auto",
            help="Requests a worker takes at once; 'auto': as many as fit in a GPU's memory.",
        ),
    ] = str(BATCH_SIZE),
    steps: Annotated[
        int | None,
        typer.Option(
            help="Sampling steps.", show_default=f"exact {DEFAULTS.steps}, fast {FAST.steps}"
        ),
    ] = None,
    adaptation_steps: Annotated[
        int | None,
        typer.Option(
            help="Training steps of each image's own decoder; in 'fast' before the correction in "
            "closed form, which needs none.",
            show_default=f"exact {DEFAULTS.adaptation_steps}, fast {FAST.adaptation_steps}",
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            help="How strongly the prompt is followed.",
            show_default=f"exact {DEFAULTS.guidance:g}, fast {FAST.guidance:g}",
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            help="Of 'fast': how far, in 0..1, a drawing leaves the look of the real defect that "
            "its row names; 1: drawn from noise alone.",
            show_default=str(FAST.strength),
        ),
    ] = None,
    detail: Annotated[
        float | None,
        typer.Option(
            help="Of 'fast': the share, in 0..1, of a look's finest detail that is put back in the "
            "drawing after the autoencoder.",
            show_default=str(FAST.detail),
        ),
    ] = None,
    resolution: Annotated[
        Literal["native", "model"],
        typer.Option(
            help="'native': pairs have their pictures' size, and no pixel outside the defect "
            "changes; 'model': pictures are brought to the model's size."
        ),
    ] = "native",
    judge: judging.Judge = None,
    candidates: judging.Candidates = None,
    retries: judging.Retries = None,
    mask: judging.Mask = None,
    limit: judging.Limit = None,
    keep: Annotated[
        str,
        typer.Option(
            help="Also write these: source,trimap,blended, and rejected pairs (any of them)."
        ),
    ] = "",
    format_name: Annotated[
        FormatName | None,
        typer.Option(
            "--format",
            help="Also write the accepted pairs in this layout, as `adabldm export` does, beside "
            "--output: OUTPUT_<layout>. mvtec needs --keep source.",
        ),
    ] = None,
    allow_root: Annotated[
        list[str] | None,
        typer.Option(
            callback=places.root,
            help="A folder besides the manifest's that pictures may be in (repeatable).",
        ),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            show_default="10 times what the mode takes at Stable Diffusion's size",
            help="How long one request may be computed; one that takes longer has failed, and its "
            "worker is replaced.",
        ),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Make requests again that have failed before."),
    ] = False,
    shards: Annotated[
        int | None,
        typer.Option(
            show_default="as the output has it; by the number of requests, above 10,000",
            help="Spread a type's files over so many folders, by a hash of the request's id; 0: "
            "all in one.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check everything and tell what it would take; start and write nothing.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse prompts that are longer than the model reads."),
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(help="Images/s of a worker, for --dry-run.", show_default="measured here"),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(help="Price of a worker's hour, for --dry-run, --max-cost and status."),
    ] = None,
    log_json: Annotated[
        bool,
        typer.Option(
            "--log-json",
            help="Tell what becomes of every request, and how far it is, as JSON lines on the "
            "standard error stream.",
        ),
    ] = False,
    max_hours: Annotated[
        float | None,
        typer.Option(help="Stop in good order after so many hours; the same command continues."),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            help="Stop in good order when all runs on the output have cost so much, by --price."
        ),
    ] = None,
) -> None:
    """Make the image/mask pairs that a manifest asks for.

    The whole manifest is checked first. A command that was interrupted, by whatever means, is
    continued by running it again. Ends with a line a defect type, and with 0 when the output has
    as many pairs as were asked for, 3 when it is short of those that were rejected or failed (the
    index tells why; `adabldm plan --top-up` plans more), 2 for bad input, with nothing written,
    and 1 for anything else.

    \b
    adabldm generate --manifest plan/manifest.parquet --model embedded --output out \\
        --gpus-per-worker 0 --workers 1:2
    adabldm generate --manifest plan/manifest.parquet --model base --output out \\
        --branches trained --branch old/crack=s3://bucket/crack
    adabldm generate --manifest plan/manifest.parquet --model base --output out \\
        --workers 8 --dry-run --rate 1.9 --price 1.2
    adabldm generate --manifest plan --model base --output out --candidates 4 --mask refined
    """
    from cluster.generate.pool import Pool
    from cluster.generate.spec import GenerationSpec
    from cluster.launch.session import default_gpus
    from jobs.verbs import forecast

    forecast.check_figures(dry_run, rate, price)
    least, most = parse_workers(workers)
    gpus = default_gpus() if gpus_per_worker is None else gpus_per_worker
    if time_limit is not None and not 0 < time_limit < math.inf:
        raise InputFault.of("--time-limit", time_limit, "must be a number of seconds above 0")
    if gpus < 0:
        raise InputFault.of("--gpus-per-worker", gpus_per_worker, "must be 0 or more")
    taken, compute_batch = parse_batch_size(batch_size, gpu=gpus > 0)
    for name, value in (("--strength", strength), ("--detail", detail)):
        if value is not None and mode == "exact":
            raise InputFault.of(name, value, "is of --mode fast: exact starts from noise")
    try:
        asked_for = {
            "steps": steps,
            "adaptation_steps": adaptation_steps,
            "guidance": guidance,
            "strength": strength,
            "detail": detail,
            "resolution": resolution,
        }
        chosen = {name: value for name, value in asked_for.items() if value is not None}
        options = options_of(mode, **chosen)
    except ValueError as error:
        raise InputFault(f"--{str(error).replace('_', '-', 1)}") from error
    judged = judging.read_judge(
        judge=judge, candidates=candidates, retries=retries, mask=mask, limits=limit or (),
        resolution=resolution,
    )  # fmt: skip
    spec = GenerationSpec(
        manifest=manifest,
        model=model,
        output=output,
        pool=Pool(least=least, most=most, gpus=gpus, batch_size=taken),
        options=options,
        judge=judged,
        keep=parse_keep(keep, judged=judged is not None),
        allowed_roots=allow_root or [],
        named_branches=branch or (),
        branches=branches,
        compute_batch=compute_batch,
        strict=strict,
        time_limit=time_limit,
        retry_failed=retry_failed,
        shards=parse_shards(shards),
        budget=parse_budget(price, max_hours, max_cost),
    )
    places.refuse_missing("--branches", branches)
    exported = format_name and generate_format.export_of(output, format_name, spec.keep)
    if dry_run:
        seen = forecast.forecast(spec, rate)
        for line in seen.remarks:
            warn(line)
        print("\n".join(forecast.lines(spec, seen, price)))
        return
    places.refuse_unwritable("--output", location("--output", output))
    from cluster.generate.log import LOGGER
    from jobs.json_log import json_log

    with json_log(LOGGER, wanted=log_json):
        run(spec, exported or None, log_json=log_json)


def warn(line: str) -> None:
    """Say what is worth a look and stops nothing."""
    print(f"warning: {redacted(line)}", file=sys.stderr)


def run(
    spec: GenerationSpec, exported: ExportSpec | None = None, *, log_json: bool = False
) -> None:
    """Generate with progress, a line of JSON now and then if ``log_json``, then write the layout
    ``exported``; says at the end what was made and where.

    Raises ``typer.Exit`` with the exit code unless all went well.
    """
    from cluster.generate.job import generate
    from cluster.generate.log import event
    from jobs.progress import Tracker
    from jobs.verbs import tally_lines

    tracker: Tracker | None = None
    tell = partial(event, "progress") if log_json else None

    def progress(requests: int, before: int, tally: Tally, waiting: int) -> None:
        nonlocal tracker
        if tracker is None:
            tracker = Tracker("generate", requests, before, tell=tell).__enter__()
        counts = {"rejected": tally.rejected, "failed": tally.failed}
        note = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        tracker.update(before + tally.committed + waiting, note)

    try:
        with _told_that_it_continues():
            outcome = generate(spec, progress, warn)
    finally:
        if tracker is not None:
            tracker.__exit__(None, None, None)
    for line in tally_lines.lines(outcome):
        print(line)
    if exported is not None and any(one.made for one in outcome.in_all.types.values()):
        generate_format.export(exported)
    if told := tally_lines.hint(outcome):
        print(told, file=sys.stderr)
        raise typer.Exit(ExitCode.SOME_FAILED)


@contextmanager
def _told_that_it_continues() -> Iterator[None]:
    """What stops a run is its last line, with exit code 1."""
    try:
        yield
        return
    except BrokenPipeError:
        raise
    except JobFault as fault:
        line = f"stopped: {one_line(fault)}"
    except OSError as error:
        line = f"stopped: {of_the_world(error)}"
    except KeyboardInterrupt as ended:
        line = "terminated" if isinstance(ended, Terminated) else "interrupted"
    print(f"{line}. The same command continues.", file=sys.stderr)
    raise typer.Exit(ExitCode.STOPPED)
