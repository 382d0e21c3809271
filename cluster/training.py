"""Training on Ray: one job over many processes, or many jobs side by side.

Ray Train starts the processes, joins them and starts them again when one dies. What was done is in
the training's own checkpoints (:mod:`cluster.training_store`), not in Ray's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from adabldm.dataset import ObjectFolder
from cluster.faults import InputFault, JobFault
from cluster.model_check import model_fingerprint
from cluster.ray_session import ray_session
from cluster.run_binding import RunBinding
from cluster.storage import Location, location
from cluster.training_store import PhaseStore

if TYPE_CHECKING:
    from adabldm.branch_training import BranchOptions
    from adabldm.whole_model import WholeModelOptions

MODEL = "model"
"""Folder of a whole model in its training's output."""
TRAINING = "training"
"""Folder of checkpoints, logs and sheets in a training's output."""
RESTARTS = 8
"""So often a training is started again after a process has died."""
POLL_SECONDS = 2.0
SPLIT_PARTS = 3
"""Parts of a picture's path that name it wherever the data set lies."""
FREE = ("steps", "save_every", "look_every", "accumulate")
"""Options that a continued training may change: they do not shape what was done so far."""

Texts = Mapping[tuple[str, str | None], tuple[str, ...]]
"""Prompts by object and defect type (None: a good picture)."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """One model or branch to be trained.

    ``base`` is the URI of the model that a branch is of, None for a whole model; ``rank`` makes a
    branch low-rank. ``workers`` processes of ``gpus`` each (0: one CPU each).
    """

    name: str
    objects: tuple[ObjectFolder, ...]
    texts: Texts
    output: str
    options: BranchOptions | WholeModelOptions
    base: str | None = None
    base_fingerprint: str = ""
    rank: int | None = None
    workers: int = 1
    gpus: float = 0

    @property
    def folder(self) -> Location:
        return location("--output", self.output)

    @property
    def result(self) -> Location:
        """Where the branch's or the model's folder is."""
        return self.folder if self.base else self.folder.join(MODEL)

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(options.steps for options in self.options.phases.values())

    def steps_done(self) -> int:
        """Of all phases, as the logs say."""
        return StepsSoFar(self).read()[0]

    def store(self, phase: str) -> PhaseStore:
        return PhaseStore(self.folder.join(f"{TRAINING}/{phase}"))

    def prompts(self, item: str, defect: str | None) -> Sequence[str]:
        """As :data:`adabldm.stream.Prompts`."""
        return self.texts[item, defect]


def split_digest(objects: Sequence[ObjectFolder]) -> str:
    """SHA-256 of what is learned from: names of good pictures, and of defects with their types."""

    def name(uri: str) -> str:
        return "/".join(uri.split("/")[-SPLIT_PARTS:])

    content = [
        [
            folder.name,
            sorted(map(name, folder.good)),
            sorted([item.defect, name(item.image), name(item.mask)] for item in folder.defects),
        ]
        for folder in sorted(objects, key=lambda folder: folder.name)
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def bind(training: Training) -> None:
    """Bind the output to this training. Raises :class:`InputFault` if it holds another one."""
    free = FREE if training.base is not None else FREE[1:]
    options = asdict(training.options)
    shown = {**options, **options.get("train", {})}
    for phase in [shown, *(part for part in shown.values() if isinstance(part, dict))]:
        for name in ("train", *free):
            phase.pop(name, None)
    config = {
        **shown,
        "rank": training.rank,
        "split": split_digest(training.objects),
        "prompts": sorted({text for texts in training.texts.values() for text in texts}),
    }
    folder = training.folder.join(TRAINING)
    RunBinding(
        model=training.base or "none",
        model_fingerprint=training.base_fingerprint,
        config=json.loads(json.dumps(config)),
    ).bind(folder)


class StepsSoFar:
    """How far a training is, read from its logs."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def read(self) -> tuple[int, float | None]:
        """Steps done in all phases, and the last loss."""
        done, loss = 0, None
        for name, options in self._training.options.phases.items():
            facts = self._last(name)
            if facts:
                done += min(options.steps, int(facts["step"]))
                loss = facts.get("loss", loss)
        return done, loss

    def _last(self, phase: str) -> dict[str, Any] | None:
        try:
            lines = self._training.store(phase).log_lines()
        except OSError:
            return None
        told = [json.loads(line) for line in lines]
        return next((facts for facts in reversed(told) if "loss" in facts), None)


Progress = Callable[[int, str], None]
"""Called with steps done, those of earlier runs included, and a note."""


@contextmanager
def _watched(trainings: Sequence[Training], progress: Progress) -> Iterator[None]:
    """Tell ``progress`` what the logs say, every few seconds, until the block ends."""
    stopped = Event()
    readers = [StepsSoFar(training) for training in trainings]

    def tell() -> None:
        found = [reader.read() for reader in readers]
        known = [loss for _, loss in found if loss is not None]
        note = f"loss {sum(known) / len(known):.4g}" if known else ""
        progress(sum(done for done, _ in found), note)

    def watch() -> None:
        while not stopped.wait(POLL_SECONDS):
            tell()

    thread = Thread(target=watch, daemon=True, name="training-progress")
    thread.start()
    try:
        yield
        tell()
    finally:
        stopped.set()
        thread.join()


def train(training: Training, progress: Progress) -> None:
    """Train over ``training.workers`` processes, on one machine or many.

    Raises :class:`InputFault` before anything starts, :class:`JobFault` when it cannot go on.
    """
    bind(training)
    with ray_session(training.workers, training.gpus), _watched([training], progress):
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        resources = {"CPU": 0, "GPU": training.gpus} if training.gpus else {"CPU": 1}
        path, filesystem = _scratch(training.folder)
        trainer = TorchTrainer(
            _process,
            train_loop_config={"training": training},
            scaling_config=ScalingConfig(
                num_workers=training.workers,
                use_gpu=training.gpus > 0,
                resources_per_worker=resources,
            ),
            run_config=RunConfig(
                name="ray",
                storage_path=path,
                storage_filesystem=filesystem,
                failure_config=FailureConfig(max_failures=RESTARTS),
            ),
        )
        try:
            trainer.fit()
        except Exception as error:
            raise JobFault(f"{training.name}: {_reason(error)}") from error


def _scratch(folder: Location) -> tuple[str, Any]:
    """Where Ray keeps what it writes for itself, as it wants to be told."""
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    place = folder.join(TRAINING)
    if place.is_local:
        return place.path, None
    return place.path, PyFileSystem(FSSpecHandler(place.fs))


def train_each(
    trainings: Sequence[Training], at_once: int, progress: Progress
) -> dict[str, str | None]:
    """Train each in a task of its own, as many at a time as the cluster has room for.

    Returns, by name, why it failed, or None. One that fails leaves the others alone; one whose
    machine dies goes on elsewhere. Raises as :func:`train`.
    """
    for training in trainings:
        bind(training)
    gpus = trainings[0].gpus
    with ray_session(at_once, gpus), _watched(trainings, progress):
        import ray

        task = ray.remote(_alone).options(
            num_cpus=0 if gpus else 1, num_gpus=gpus, max_retries=RESTARTS
        )
        running = {training.name: task.remote(training) for training in trainings}
        outcome: dict[str, str | None] = {}
        for name, reference in running.items():
            try:
                outcome[name] = ray.get(reference)
            except ray.exceptions.RayError as error:
                outcome[name] = _reason(error)
        return outcome


def _alone(training: Training) -> str | None:
    """A whole training in this process; why it failed, or None."""
    try:
        run_process(training, "cuda" if training.gpus else "cpu")
    except Exception as error:
        return _reason(error)
    return None


def _process(config: dict[str, Any]) -> None:
    """What each process of Ray Train runs."""
    import ray.train.torch

    run_process(config["training"], str(ray.train.torch.get_device()))


def run_process(training: Training, device_name: str) -> None:
    """This process's part in ``training``; the first process writes the result."""
    import torch

    from cluster.training_process import train_branch, train_whole_model

    if device_name == "cpu":
        torch.set_num_threads(1)
    work = train_whole_model if training.base is None else train_branch
    work(training, torch.device(device_name))


def _reason(error: BaseException) -> str:
    """What went wrong, in one line: the last one that an error has to say."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def checked_base(uri: str) -> str:
    """The fingerprint of the base at ``uri``. Raises :class:`InputFault`."""
    try:
        return model_fingerprint(uri)
    except InputFault as fault:
        raise InputFault(
            *(f"--base: {line.removeprefix('model: ')}" for line in fault.lines)
        ) from (fault)
