"""A comparison from its first look to its table; killed, the same command goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from adabldm.core.faults import InputFault, JobFault
from adabldm.core.progress import Progress
from adabldm.evaluation.comparison import compare
from cluster.evaluate.inputs import Inputs, open_inputs
from cluster.evaluate.markdown import as_markdown
from cluster.evaluate.results import Failure, Results
from cluster.evaluate.spec import ComparisonSpec, Trial
from cluster.evaluate.task import Job, run_trial
from cluster.launch.session import ray_session

POLL_SECONDS = 2.0
RETRIES = 2
"""Times that a trial is begun again after its process or machine was lost."""

Finish = Callable[[Trial, str | None], None]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """How many trials there are, ``before`` of them from earlier runs; those that ``failed``; and
    the tables, as Markdown."""

    trials: int
    before: int
    failed: Sequence[Failure]
    text: str


def run(spec: ComparisonSpec, progress: Progress) -> Compared:
    """Run what ``spec`` asks for and is not done yet, and write down what all finished trials of
    its folder come to. ``progress`` counts training steps and tested pictures.

    Raises :class:`InputFault` before anything is trained, :class:`JobFault` if no trial is done.
    """
    inputs = open_inputs(spec)
    _refuse_backbone(spec)
    results = Results(spec.output, _binding(spec, inputs))
    results.bind()
    done = results.finished()
    todo = [trial for trial in inputs.trials if trial.name not in done]
    job = Job(
        inputs=inputs,
        options=spec.options,
        device="cuda" if spec.gpus else "cpu",
        results=results,
    )
    before = len(inputs.trials) - len(todo)
    failed: list[Failure] = []

    def finish(trial: Trial, reason: str | None) -> None:
        if reason is not None:
            failed.append(Failure(trial=trial, reason=reason))

    told = _Told(progress, job.size, before, len(inputs.trials))
    runner = _here if spec.workers == 1 else _on_ray
    if todo:
        runner(spec, todo, job, told, finish)
    kept = results.read()
    if not kept:
        raise JobFault(f"no trial is done: {failed[0]}")
    table = compare([tried for _, tried in kept], inputs.tested)
    text = as_markdown(table, failed)
    results.publish([facts for facts, _ in kept], table, failed, text)
    return Compared(trials=len(inputs.trials), before=before, failed=failed, text=text)


def _binding(spec: ComparisonSpec, inputs: Inputs) -> dict[str, Any]:
    """What a folder holds the trials of: all that shapes a figure and is no trial's own."""
    return {
        "data_set": spec.dataset,
        "split": inputs.split,
        "pairs": spec.pairs,
        "accepted_pairs": inputs.pairs,
        **spec.options.as_dict(),
    }


def _refuse_backbone(spec: ComparisonSpec) -> None:
    """Raise :class:`InputFault` for a backbone that the detector needs and nobody can open."""
    if spec.detector == "unet":
        return
    import torch

    from adabldm.evaluation.detectors.backbone import BackboneFault, open_backbone

    try:
        open_backbone(spec.options.backbone, torch.device("cpu"))
    except BackboneFault as fault:
        beside = "; --detector unet needs none" if spec.detector == "fpn" else ""
        raise InputFault(f"--{fault}{beside}") from fault


class _Told:
    """How far all trials are, together."""

    def __init__(self, progress: Progress, size: int, before: int, trials: int) -> None:
        self._progress, self._size, self._total = progress, size, size * trials
        self._finished = size * before
        self._running: dict[str, int] = {}
        progress(self._finished, self._total)

    def __call__(self, name: str, done: int) -> None:
        self._running[name] = done
        self._progress(self._finished + sum(self._running.values()), self._total)

    def end(self, name: str) -> None:
        """A trial is over, however it went."""
        self._running.pop(name, None)
        self._finished += self._size
        self._progress(self._finished + sum(self._running.values()), self._total)


def _here(
    spec: ComparisonSpec, todo: Sequence[Trial], job: Job, told: _Told, finish: Finish
) -> None:
    """One trial after the other, in this process."""
    del spec
    for trial in todo:
        finish(trial, run_trial(trial, job, lambda done, name=trial.name: told(name, done)))  # type: ignore[misc]
        told.end(trial.name)


def _on_ray(
    spec: ComparisonSpec, todo: Sequence[Trial], job: Job, told: _Told, finish: Finish
) -> None:
    """Each trial a task, as many at a time as there is room for."""
    with ray_session(min(spec.workers, len(todo)), spec.gpus):
        import ray

        heard = ray.remote(_Heard).options(num_cpus=0).remote()
        shared = ray.put(job)
        task = ray.remote(_task).options(
            num_cpus=0 if spec.gpus else 1, num_gpus=spec.gpus, max_retries=RETRIES
        )
        running = {task.remote(trial, shared, heard): trial for trial in todo}
        for reference, trial in _ended(running, heard, told):
            try:
                reason = ray.get(reference)
            except ray.exceptions.RayError as error:
                reason = f"its process was lost: {_first_line(error)}"
            finish(trial, reason)
            told.end(trial.name)


def _ended(running: dict[Any, Trial], heard: Any, told: _Told) -> Iterator[tuple[Any, Trial]]:
    """Tasks as they end; meanwhile, tells how far the others are."""
    import ray

    waiting = list(running)
    while waiting:
        ready, waiting = ray.wait(waiting, num_returns=1, timeout=POLL_SECONDS)
        with suppress(ray.exceptions.RayError):
            names = {running[one].name for one in waiting}
            for name, done in ray.get(heard.all.remote(), timeout=POLL_SECONDS).items():
                if name in names:
                    told(name, done)
        for reference in ready:
            yield reference, running[reference]


class _Heard:
    """What running trials say of how far they are."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}

    def hear(self, name: str, done: int) -> None:
        self._done[name] = done

    def all(self) -> dict[str, int]:
        return self._done


def _task(trial: Trial, job: Job, heard: Any) -> str | None:
    import torch

    if job.device == "cpu":
        torch.set_num_threads(1)

    def tell(done: int) -> None:
        if done % 20 == 0:
            heard.hear.remote(trial.name, done)

    return run_trial(trial, job, tell)


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")
