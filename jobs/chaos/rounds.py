"""One output, from an empty place to the last row, while faults strike."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.chaos.comparison import Difference, compare, rows_of
from jobs.chaos.crew import DONE, Crew
from jobs.chaos.schedule import Fault, Pending
from jobs.chaos.strikes import World, strike

TICK_SECONDS = 0.2
ROUND_SECONDS = 1500.0
"""A round that takes longer is stuck."""
GONE_SECONDS = 80.0
"""Workers of a cluster without a head end after 60."""
WAITING = 4
"""So many faults may wait for something to strike while others go before them."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is made in each round: ``model`` (URI) and further ``words`` of the command."""

    model: str
    words: Sequence[str]

    def command(self, manifest: str, output: str, *more: str) -> list[str]:
        places = ("--manifest", manifest, "--output", output, "--model", self.model)
        return ["generate", *places, "--gpus-per-worker", "0", *self.words, *more]


@dataclass
class Ended:
    """What became of a round."""

    place: str
    seconds: float
    struck: Counter[str]
    difference: Difference
    ends: Counter[tuple[int, str]]
    faults: list[str] = field(default_factory=list)
    """What is wrong besides: what ``verify`` says, what is left over, a round that is stuck."""


def undisturbed(job: Job, manifest: str, output: Path, folder: Path) -> list[dict[str, Any]]:
    """The rows of a run that nothing happens to."""
    crew = Crew(job.command(manifest, str(output)), folder, {})
    driver = crew.start(-1)
    code = driver.process.wait()
    if code not in DONE:
        raise RuntimeError(f"the undisturbed run ended with {code}: {driver.last_line()}")
    return rows_of(str(output))


def run_round(
    job: Job,
    world: World,
    pending: Pending,
    wanted: list[dict[str, Any]],
    folder: Path,
    tell: Callable[[str], None],
) -> Ended:
    """Make ``wanted``, faults of ``pending`` striking, and look at what is there at the end."""
    began, struck = time.monotonic(), Counter[str]()
    faults = _disturbed(world, pending, struck, began, tell)
    world.undo(all_of_it=True)
    world.store.calm()
    faults += world.crew.finish()
    if world.is_retried and world.crew.is_done:
        faults += _retried(job, world, folder)
    faults += [f"verify: {line}" for line in _verified(world.output.output)]
    faults += world.output.left_over() + _workers_left(world)
    return Ended(
        place=world.output.name,
        seconds=time.monotonic() - began,
        struck=struck,
        difference=compare(wanted, rows_of(world.output.output), but=("model",)),
        ends=world.crew.ends,
        faults=faults,
    )


def _disturbed(
    world: World,
    pending: Pending,
    struck: Counter[str],
    began: float,
    tell: Callable[[str], None],
) -> list[str]:
    """Until a driver says that all is done; what is wrong if none does."""
    waiting: list[Fault] = []
    due = began
    while True:
        world.undo()
        world.crew.tend(world.output.version() if not world.crew.alive else -1)
        if world.crew.is_done:
            pending.give_back(waiting)
            return []
        if time.monotonic() - began > ROUND_SECONDS:
            pending.give_back(waiting)
            return [f"stuck after {ROUND_SECONDS:g} s"]
        if time.monotonic() >= due:
            if len(waiting) < WAITING and (fault := pending.take(world.output.name)) is not None:
                waiting.append(fault)
            done = next((one for one in waiting if strike(one, world)), None)
            if done is not None:
                waiting.remove(done)
                due = time.monotonic() + world.pace * done.gap
                struck[done.kind] += 1
                tell(f"{time.monotonic() - began:6.1f} s  {done.kind}")
        time.sleep(TICK_SECONDS)


def _retried(job: Job, world: World, folder: Path) -> list[str]:
    """Make again what has failed while files were replaced."""
    places = world.output.manifest, world.output.output
    crew = Crew(job.command(*places, "--retry-failed"), folder, {})
    driver = crew.start(-1)
    code = driver.process.wait()
    return [] if code in DONE else [f"--retry-failed ended with {code}: {driver.last_line()}"]


def _verified(output: str) -> list[str]:
    words = [sys.executable, "-m", "jobs.cli", "verify", output]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return []
    return (done.stdout + done.stderr).splitlines() or [f"exit code {done.returncode}"]


def _workers_left(world: World) -> list[str]:
    """Processes that go on working for nobody."""
    deadline = time.monotonic() + GONE_SECONDS
    while (left := world.cluster.workers()) and time.monotonic() < deadline:
        time.sleep(TICK_SECONDS)
    return [f"a worker is left over: {process.pid}" for process in left]
