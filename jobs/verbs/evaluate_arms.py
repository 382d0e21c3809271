"""``adabldm evaluate --output``: does a detector get better by the pairs?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from adabldm.core.faults import ExitCode, InputFault
from adabldm.evaluation.arms import ARMS
from adabldm.evaluation.detectors import DetectorOptions, default_detector, default_options
from cluster.launch.session import default_gpus
from cluster.storage.location import location
from jobs.progress import Tracker
from jobs.verbs import places
from jobs.verbs.arm_options import Asked, names, numbers

if TYPE_CHECKING:
    from cluster.evaluate.driver import Compared
    from cluster.evaluate.results import Failure
    from cluster.evaluate.spec import ComparisonSpec

NOT_BY_ITSELF = ("all-real",)
"""An arm that most data sets have nothing for."""


def spec_of(asked: Asked) -> ComparisonSpec:
    """The comparison that is asked for. Raises :class:`InputFault`."""
    from cluster.evaluate.spec import ComparisonSpec

    gpus = default_gpus() if asked.gpus is None else asked.gpus
    device = "cuda" if gpus else "cpu"
    arms = names(asked.arms) if asked.arms is not None else _default_arms(asked.pairs)
    return ComparisonSpec(
        dataset=asked.dataset,
        pairs=asked.pairs,
        output=location("--output", asked.output),
        arms=arms,
        detector=default_detector(device) if asked.detector is None else asked.detector,
        options=_options(asked, device),
        seeds=asked.seeds,
        pair_counts=numbers("--pairs-counts", asked.pairs_counts),
        shots=numbers("--shots", asked.shots),
        workers=asked.workers or _default_workers(gpus),
        gpus=gpus,
    )


def _default_arms(pairs: str | None) -> tuple[str, ...]:
    return tuple(
        name
        for name, arm in ARMS.items()
        if name not in NOT_BY_ITSELF and (pairs is not None or not arm.needs_pairs)
    )


def _options(asked: Asked, device: str) -> DetectorOptions:
    said = {name: getattr(asked, name) for name in ("steps", "window", "width", "backbone")}
    try:
        return replace(default_options(device), **{k: v for k, v in said.items() if v is not None})
    except ValueError as error:
        raise InputFault(f"--{error}") from error


def _default_workers(gpus: float) -> int:
    """As many at a time as this machine, or a cluster, has room for."""
    if gpus:
        devices = len(list(Path("/dev").glob("nvidia[0-9]*")))
        return max(1, int(devices / gpus)) if not os.environ.get("RAY_ADDRESS") else 2
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(asked: Asked) -> None:
    """Run the comparison and show its tables; ends with 3 if a trial failed."""
    from cluster.evaluate import driver

    places.refuse_missing("--pairs", asked.pairs)
    spec = spec_of(asked)
    places.refuse_unwritable("--output", spec.output)
    with Tracker("evaluate (steps and tested pictures)", 1) as tracker:

        def tell(done: int, total: int) -> None:
            tracker.expect(total)
            tracker.update(done)

        done = driver.run(spec, tell)
    typer.echo(done.text)
    typer.echo(f"{in_words(done)}: {places.written(spec.output)}")
    if done.failed:
        tell_of_failed(done.failed)
        raise typer.Exit(ExitCode.SOME_FAILED)


def in_words(done: Compared) -> str:
    """How many trials were made."""
    kept = f" ({done.before} were there)" if done.before else ""
    failed = f", {len(done.failed)} failed" if done.failed else ""
    return f"{done.trials - len(done.failed)} trials{kept}{failed}"


def tell_of_failed(failed: Sequence[Failure]) -> None:
    """A line each, and how to go on."""
    for one in failed:
        typer.echo(str(one), err=True)
    typer.echo("the same command tries these again", err=True)
