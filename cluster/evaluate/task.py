"""One trial, from its pictures to its kept figures, in whichever process it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from adabldm.core.faults import one_line
from adabldm.evaluation.arms import ARMS, content_of, first_pairs
from adabldm.evaluation.detectors import DetectorOptions
from cluster.evaluate.inputs import Inputs
from cluster.evaluate.results import Results, facts_of
from cluster.evaluate.spec import Trial

Tell = Callable[[int], None]
"""Told how many steps and pictures of a trial are done."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all trials share."""

    inputs: Inputs
    options: DetectorOptions
    device: str
    results: Results

    @property
    def size(self) -> int:
        """Of a trial: steps of each object, and tested pictures."""
        return self.options.steps * len(self.inputs.sources) + len(self.inputs.tested)


def run_trial(trial: Trial, job: Job, tell: Tell) -> str | None:
    """Run ``trial`` and keep it; why it failed, or None."""
    try:
        _run(trial, job, tell)
    except Exception as error:
        return one_line(error)
    return None


def _run(trial: Trial, job: Job, tell: Tell) -> None:
    from adabldm.evaluation import trial as trying
    from adabldm.evaluation.detectors import open_detector

    began = time.monotonic()
    contents = {name: content_of(trial.setting, some) for name, some in job.inputs.sources.items()}
    outcome = trying.run(
        open_detector(trial.detector, job.options),
        contents,
        job.inputs.tested,
        window=job.options.window,
        seed=trial.seed,
        device=job.device,
        steps=job.options.steps,
        progress=lambda done, _: tell(done),
    )
    facts = facts_of(
        trial,
        outcome.figures,
        pictures=_pictures(trial, job.inputs),
        shots=_shots(trial, job.inputs),
        seconds=time.monotonic() - began,
    )
    job.results.keep(trial, facts, outcome.counted)


def _pictures(trial: Trial, inputs: Inputs) -> int:
    """How many pairs an arm is made of, or of a baseline's pictures at their places."""
    if not ARMS[trial.setting.arm].needs_pairs:
        return 0
    return sum(
        len(first_pairs(some.pairs, trial.setting.pairs)) for some in inputs.sources.values()
    )


def _shots(trial: Trial, inputs: Inputs) -> int:
    """Real defects of the type that has most; 0 for an arm that has none."""
    if not ARMS[trial.setting.arm].few:
        return 0
    most = max(some.most_shots for some in inputs.sources.values())
    return most if trial.setting.shots is None else trial.setting.shots
