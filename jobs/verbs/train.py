"""``adabldm train``: a branch of a base, many branches at once, or a whole small model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adabldm.branches.card import CARD
from adabldm.core.faults import ExitCode, InputFault, JobFault
from adabldm.data.options import DatasetOptions
from adabldm.networks.formats import INDEX
from adabldm.sampling.options import Resolution
from adabldm.training.options import (
    PAPER,
    PAPER_BRANCH,
    BranchOptions,
    WholeModelOptions,
    embedded_branch,
)
from cluster.storage.location import location
from jobs.verbs import dataset_options as given
from jobs.verbs import places
from jobs.verbs.looks import tell_looks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adabldm.core.objects import ObjectFolder
    from cluster.train.spec import TrainingSpec

ON_CPU, ON_GPU = embedded_branch(on_gpu=False), embedded_branch(on_gpu=True)
DEFAULT_STEPS = (
    f"{PAPER.steps}; of the embedded model {ON_CPU.train.steps}, on a GPU {ON_GPU.train.steps}; "
    f"from scratch {WholeModelOptions().steps}"
)


def _default(paper: object, on_cpu: object, on_gpu: object) -> str:
    """What the help says of an option whose default the base and the device choose."""
    gpu = "" if on_gpu == on_cpu else f", on a GPU {on_gpu}"
    return f"{paper}; of the embedded model {on_cpu}{gpu}"


def _of_train(name: str) -> str:
    return _default(*(getattr(one.train, name) for one in (PAPER_BRANCH, ON_CPU, ON_GPU)))


def _of_branch(name: str) -> str:
    return _default(*(getattr(one, name) for one in (PAPER_BRANCH, ON_CPU, ON_GPU)))


@given.opens_data_sets()
def main(
    dataset_uri: given.Dataset,
    output: Annotated[
        str, typer.Option(callback=places.uri, help="Folder for what is trained (any URI).")
    ],
    base: Annotated[
        str,
        typer.Option(
            callback=places.model,
            help="The model that stays locked: 'embedded', or the URI of a model's folder or "
            "checkpoint, Stable Diffusion 1.5 among them.",
        ),
    ] = "embedded",
    from_scratch: Annotated[
        bool,
        typer.Option(
            "--from-scratch",
            help="No base: train a whole small model (OUTPUT/model); takes --steps, "
            "--accumulate and --seed, the rest is its own.",
        ),
    ] = False,
    each: Annotated[
        Literal["none", "type", "object"],
        typer.Option(
            help="One branch for all defects; or one for each type (OUTPUT/<object>/<defect>) or "
            "each object (OUTPUT/<object>), each in a task of its own."
        ),
    ] = "none",
    defect: Annotated[
        list[str] | None, typer.Option(help="Only this defect type (repeatable).")
    ] = None,
    decoder_half: Annotated[
        bool | None,
        typer.Option(
            "--decoder-half/--no-decoder-half",
            show_default="no; of the embedded model yes",
            help="Also train the U-Net's decoder half.",
        ),
    ] = None,
    rank: Annotated[
        int | None,
        typer.Option(min=1, help="Keep the branch as a low-rank difference to the base."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, show_default=DEFAULT_STEPS, help="Training steps."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, show_default=_of_train("batch_size"), help="Pairs a step, over all processes."
        ),
    ] = None,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Parts of a process's share, one after the other.")
    ] = PAPER.accumulate,
    learning_rate: Annotated[
        float | None,
        typer.Option(show_default=_of_train("learning_rate"), help="AdamW's rate."),
    ] = None,
    prompt_drop: Annotated[
        float, typer.Option(help="Share of pairs that have the empty text as prompt.")
    ] = PAPER_BRANCH.prompt_drop,
    ema: Annotated[
        float | None,
        typer.Option(
            show_default=_of_train("ema"),
            help="Decay of the weights' moving average; 0 keeps none.",
        ),
    ] = None,
    min_snr: Annotated[
        float | None, typer.Option(help="Gamma of min-SNR weighting of the loss.")
    ] = PAPER_BRANCH.min_snr,
    defect_weight: Annotated[
        float | None,
        typer.Option(
            show_default=_of_branch("defect_weight"),
            help="Weight of the mean loss under each pair's defect.",
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(min=1, show_default=_of_branch("pairs"), help="Pasted pairs that are drawn."),
    ] = None,
    resolution: Annotated[
        Resolution,
        typer.Option(
            help="Learn from windows of pictures at their own size, as generation draws them, or "
            "from whole pictures brought to the model's (the paper)."
        ),
    ] = PAPER_BRANCH.resolution,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1)] = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that train together (with --each: at a time).")
    ] = 1,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            min=0,
            show_default="1; on a machine without a GPU 0",
            help="GPUs a process holds; 0 runs on the CPU, one core each.",
        ),
    ] = None,
    save_every: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default=_of_train("save_every"),
            help="Steps from checkpoint to checkpoint.",
        ),
    ] = None,
    look_every: Annotated[int, typer.Option(min=1, help="Steps from sample sheet to the next.")] = (
        PAPER.look_every
    ),
    object_name: Annotated[
        str | None, typer.Option(help="The object's noun in prompts; default: its folder's name.")
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            callback=places.uri, help="YAML of templates and synonyms, as in `adabldm plan`."
        ),
    ] = None,
    *,
    options: DatasetOptions,
) -> None:
    """Train the control branch on a data set's defects; everything else is locked.

    Pairs are made as they are needed: real defects, turned and scaled, pasted on good pictures.
    What comes out is a branch, a small folder for `adabldm generate --branch`. A command that was
    interrupted is continued by running it again; more --steps go on from where it ended. Logs,
    sample sheets and TensorBoard events are in OUTPUT/training.

    The embedded model is small: a branch of it takes minutes on a CPU. Pairs on pictures that
    training does not see are drawn and judged before and after; both are told at the end.

    \b
    adabldm train prepared/tile --output branch
    adabldm train prepared/screw --base s3://bucket/sd15 --output s3://bucket/branches/screw
    adabldm train prepared --each type --workers 8 --output s3://bucket/branches
    """
    # Here, because the networks' libraries take seconds to load and `--help` needs none of them.
    from adabldm.training.texts import training_texts
    from cluster.launch.session import default_gpus
    from cluster.models.inspect import EMBEDDED
    from cluster.train.spec import TrainingSpec, checked_base

    # Absolute from here on: whoever trains may work in another directory.
    place = location("--output", output)
    places.refuse_unwritable("--output", place)
    output = place.shown
    if base != EMBEDDED:
        base = location("--base", base).shown
    objects = given.with_surfaces(given.open_objects(dataset_uri, options, defect or []))
    texts = training_texts(objects, object_name, prompts)
    gpus = default_gpus() if gpus_per_worker is None else gpus_per_worker
    common: dict[str, Any] = {
        "texts": texts,
        "workers": 1 if each != "none" else workers,
        "gpus": gpus,
    }
    if from_scratch:
        if each != "none":
            raise InputFault.of("--each", each, "makes branches; --from-scratch makes no branch")
        job = TrainingSpec(
            name="model", objects=tuple(objects), output=output,
            options=_whole(steps, accumulate, seed), **common,
        )  # fmt: skip
        _train_one(job, workers)
        return
    branch = _branch(
        embedded_branch(on_gpu=gpus > 0) if base == EMBEDDED else PAPER_BRANCH,
        {
            "steps": steps,
            "batch_size": batch_size,
            "accumulate": accumulate,
            "learning_rate": learning_rate,
            "ema": ema,
            "save_every": save_every,
            "look_every": look_every,
        },
        {
            "pairs": pairs,
            "prompt_drop": prompt_drop,
            "min_snr": min_snr,
            "defect_weight": defect_weight,
            "decoder_half": decoder_half,
            "resolution": resolution,
            "seed": seed,
        },
    )
    common |= {
        "options": branch, "base": base, "base_fingerprint": checked_base(base), "rank": rank,
    }  # fmt: skip
    if each == "none":
        name = ", ".join(folder.name for folder in objects)
        one = TrainingSpec(name=name, objects=tuple(objects), output=output, **common)
        _train_one(one, workers)
        return
    jobs = [
        TrainingSpec(name=name, objects=(folder,), output=f"{output.rstrip('/')}/{name}", **common)
        for name, folder in _parts(objects, each)
    ]
    _train_each(jobs, workers, output)


def _branch(defaults: BranchOptions, train: dict[str, Any], rest: dict[str, Any]) -> BranchOptions:
    """``defaults`` but for what was given, which is not None."""
    try:
        how = replace(defaults.train, **{k: v for k, v in train.items() if v is not None})
        return replace(defaults, train=how, **{k: v for k, v in rest.items() if v is not None})
    except ValueError as error:
        raise InputFault(f"--{str(error).replace('_', '-', 1)}") from error


def _whole(steps: int | None, accumulate: int, seed: int) -> WholeModelOptions:
    try:
        return WholeModelOptions.of(steps, accumulate=accumulate, seed=seed)
    except ValueError as error:
        raise InputFault(f"--{str(error).replace('_', '-', 1)}") from error


def _parts(objects: Sequence[ObjectFolder], each: str) -> list[tuple[str, ObjectFolder]]:
    """Name and content of each branch."""
    if each == "object":
        return [(folder.name, folder) for folder in objects]
    return [
        (
            f"{folder.name}/{name}",
            replace(folder, defects=tuple(d for d in folder.defects if d.defect == name)),
        )
        for folder in objects
        for name in folder.defect_types
    ]


def _train_one(job: TrainingSpec, workers: int) -> None:
    from cluster.train.launch import train
    from jobs.progress import Tracker

    _check_parts(job, workers)
    began = time.monotonic()
    with _continued(), Tracker("train", job.steps, job.steps_done()) as tracker:
        train(job, tracker.update)
    if not _is_there(job):
        raise JobFault(f"{job.name}: was trained, but nothing is at {job.result.shown}")
    what = "a branch" if job.base else "a model"
    tell_looks([job])
    typer.echo(f"trained {what} on {job.name}, {_told(job, began)}: {job.result.shown}")


def _check_parts(job: TrainingSpec, workers: int) -> None:
    """Every process's share must be whole."""
    for name, options in job.options.phases.items():
        parts = options.accumulate * workers
        if options.batch_size % parts:
            rule = f"must be a multiple of --workers times --accumulate ({parts})"
            where = "--batch-size" if job.base else f"--workers: batch size of phase {name}"
            raise InputFault.of(where, options.batch_size, rule)


def _train_each(jobs: Sequence[TrainingSpec], workers: int, output: str) -> None:
    from cluster.train.launch import train_each
    from jobs.progress import Tracker

    for job in jobs:
        _check_parts(job, 1)
    began = time.monotonic()
    before = sum(job.steps_done() for job in jobs)
    steps = sum(job.steps for job in jobs)
    with _continued(), Tracker("train", steps, before) as tracker:
        outcome = train_each(jobs, workers, tracker.update)
    for job in jobs:
        if outcome[job.name] is None and not _is_there(job):
            outcome[job.name] = f"was trained, but nothing is at {job.result.shown}"
    failed = {name: reason for name, reason in outcome.items() if reason is not None}
    for name, reason in failed.items():
        typer.echo(f"{name}: failed: {reason}", err=True)
    tell_looks([job for job in jobs if job.name not in failed])
    made = len(jobs) - len(failed)
    typer.echo(f"trained {made} of {len(jobs)} branches, {_told(jobs[0], began)}: {output}")
    if failed and made:
        raise typer.Exit(ExitCode.SOME_FAILED)
    if failed:
        raise JobFault("no branch could be trained")


@contextmanager
def _continued() -> Iterator[None]:
    """Says that what was interrupted can go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise JobFault("interrupted. The same command continues.") from None


def _is_there(job: TrainingSpec) -> bool:
    """Whether the result is in its place, whole: the file that is written last is there."""
    return job.result.join(CARD if job.base else INDEX).exists()


def _told(job: TrainingSpec, began: float) -> str:
    return f"{job.steps} steps in {time.monotonic() - began:.0f} s"
