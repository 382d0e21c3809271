"""Training on Ray: one job over many processes, or many jobs side by side.

Ray Train starts the processes, joins them and starts them again when one dies. What was done is in
the training's own checkpoints (:mod:`cluster.train.store`), not in Ray's.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread, current_thread, main_thread
from typing import Any

from adabldm.core.faults import JobFault
from cluster.launch.session import ray_session
from cluster.storage.location import Location
from cluster.train.spec import TRAINING, Progress, StepsSoFar, TrainingSpec, bind

RESTARTS = 8
"""So often a training is started again after a process has died."""
POLL_SECONDS = 2.0


@contextmanager
def _watched(trainings: Sequence[TrainingSpec], progress: Progress) -> Iterator[None]:
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


def train(training: TrainingSpec, progress: Progress) -> None:
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
            with _interruptible():
                trainer.fit()
        except Exception as error:
            raise JobFault(f"{training.name}: {_reason(error)}") from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ray Train takes Ctrl-C for itself and then ends the program as if all were well; here it
    interrupts, as anywhere else."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as ended:
        raise KeyboardInterrupt from ended
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGINT, before)


def _scratch(folder: Location) -> tuple[str, Any]:
    """Where Ray keeps what it writes for itself, as it wants to be told."""
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    place = folder.join(TRAINING)
    if place.is_local:
        return place.path, None
    return place.path, PyFileSystem(FSSpecHandler(place.fs))


def train_each(
    trainings: Sequence[TrainingSpec], at_once: int, progress: Progress
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


def _alone(training: TrainingSpec) -> str | None:
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


def run_process(training: TrainingSpec, device_name: str) -> None:
    """This process's part in ``training``; the first process writes the result."""
    import torch

    from cluster.train.process import train_branch, train_whole_model

    if device_name == "cpu":
        torch.set_num_threads(1)
    work = train_whole_model if training.base is None else train_branch
    work(training, torch.device(device_name))


def _reason(error: BaseException) -> str:
    """What went wrong, in one line: the last one that an error has to say."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
