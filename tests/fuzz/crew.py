"""Processes that take inputs one by one, and a watch over them."""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from tests.fuzz.case import Breach
from tests.fuzz.one import COMMAND_SECONDS, clear, kind_of, limit_memory, run_one, warm_up

REPORT_EVERY = 25
HARD_SECONDS = COMMAND_SECONDS + 30
"""After so long without a new input a process is ended."""
EXAMPLES = 3
"""Inputs that are kept of each fault."""
NONE = -1


@dataclass
class Found:
    """What became of some inputs: answers by (kind, door, verdict), and faults with the inputs'
    numbers."""

    inputs: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    faults: list[tuple[str, int, Breach]] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.inputs += other.inputs
        self.answers += other.answers
        self.faults += other.faults


@dataclass(frozen=True)
class Orders:
    """What a process does: inputs of ``seed`` and of ``kinds``, spoiled ones kept in ``kept``."""

    seed: int
    kinds: frozenset[str]
    kept: Path


class Crew:
    """``processes`` that do ``count`` inputs."""

    def __init__(self, orders: Orders, count: int, processes: int) -> None:
        self._context = mp.get_context("spawn")
        self._orders, self._count = orders, count
        self._results: Queue[Found] = self._context.Queue()
        self._next: Any = self._context.Value("q", 0)
        self._scratch = Path(tempfile.mkdtemp(prefix="adabldm-fuzz-"))
        self._wanted = list(_numbers(orders, count))
        self._hands = [self._hand() for _ in range(min(processes, count))]

    def _hand(self) -> _Hand:
        doing, since = self._context.Value("q", NONE), self._context.Value("d", time.time())
        work = (self._orders, self._wanted, self._next, doing, since, self._results, self._scratch)
        process = self._context.Process(target=_work, args=work, daemon=True)
        process.start()
        return _Hand(process, doing, since)

    def results(self) -> Iterator[Found]:
        """What was found, as it comes; inputs that end a process, or do not end, are faults."""
        try:
            while self._hands:
                try:
                    yield self._results.get(timeout=0.5)
                except queue.Empty:
                    yield from self._looked_after()
            while True:
                yield self._results.get(timeout=0.5)
        except queue.Empty:
            return
        finally:
            for hand in self._hands:
                hand.process.kill()
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _looked_after(self) -> Iterator[Found]:
        for place, hand in enumerate(list(self._hands)):
            number, alive = hand.doing.value, hand.process.is_alive()
            late = time.time() - hand.since.value > HARD_SECONDS
            if alive and not late:
                continue
            if late:
                hand.process.kill()
            hand.process.join()
            if number != NONE:
                told = f"takes more than {HARD_SECONDS} s" if late else (
                    f"ends the process ({hand.process.exitcode})"
                )  # fmt: skip
                kind = kind_of(self._orders.seed, number)
                yield Found(Counter({kind: 1}), Counter(), [(kind, number, Breach(kind, told, ""))])
                self._hands[place] = self._hand()
        self._hands = [h for h in self._hands if h.process.is_alive() or h.doing.value != NONE]


@dataclass(frozen=True)
class _Hand:
    process: SpawnProcess
    doing: Synchronized[int]
    since: Synchronized[float]


def _numbers(orders: Orders, count: int) -> Iterator[int]:
    """The first ``count`` numbers whose inputs are of the kinds."""
    number = found = 0
    while found < count:
        if kind_of(orders.seed, number) in orders.kinds:
            found += 1
            yield number
        number += 1


def _work(
    orders: Orders,
    wanted: Sequence[int],
    upcoming: Any,
    doing: Any,
    since: Any,
    results: Queue[Found],
    scratch: Path,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory()
    warm_up()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes of each broken file
    found, known = Found(), Counter[tuple[str, str]]()
    while True:
        with upcoming.get_lock():
            place = upcoming.value
            upcoming.value += 1
        if place >= len(wanted):
            break
        number = wanted[place]
        doing.value, since.value = number, time.time()
        folder = scratch / str(number)
        case = run_one(orders.seed, number, folder)
        found.inputs[case.kind] += 1
        found.answers.update({(case.kind, *key): n for key, n in case.counts.items()})
        for breach in case.breaches:
            found.faults.append((case.kind, number, breach))
            known[breach.door, breach.sign] += 1
        if any(known[b.door, b.sign] <= EXAMPLES for b in case.breaches):
            keep(case.folder, case.kept, orders, number, case.breaches)
        clear(folder)
        if found.inputs.total() >= REPORT_EVERY:
            results.put(found)
            found = Found()
    doing.value = NONE
    results.put(found)
    results.close()
    results.join_thread()


def keep(
    folder: Path, kept: dict[str, bytes], orders: Orders, number: int, breaches: list[Breach]
) -> None:
    """Put the input's files, what was wrong, and how it is done again into a folder of its own."""
    place = orders.kept / f"{orders.seed}-{number}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copytree(folder, place / "input", symlinks=True, ignore=_pipes, dirs_exist_ok=True)
    for name, data in kept.items():
        (place / "input" / name).write_bytes(data)
    told = [f"python -m tests.fuzz --replay {orders.seed}:{number}", ""]
    told += [f"{b.door}: {b.sign}\n{b.told}\n" for b in breaches]
    (place / "fault.txt").write_text("\n".join(told), errors="backslashreplace")


def _pipes(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_fifo()]
