"""The drivers of one output: the same command, started as often as it takes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jobs.chaos.own_ray import PATIENCE

DONE = (0, 3)
LAST_SECONDS = 90.0


@dataclass
class Driver:
    """One program; ``seen`` is the index's version when it started."""

    process: subprocess.Popen
    told: Path
    seen: int
    began: float = field(default_factory=time.monotonic)
    frozen: bool = False

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.began

    def last_line(self) -> str:
        lines = self.told.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""


class Crew:
    """Starts ``command`` (the words after ``adabldm``); what drivers say is kept in ``folder``."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._command, self._folder = list(command), folder
        self._environment = environment
        self._count = 0
        self.alive: list[Driver] = []
        self.ends: Counter[tuple[int, str]] = Counter()
        """How many ended with which code and last line."""
        self.is_done = False
        self.hold_until = 0.0
        """No driver is started before (monotonic seconds)."""

    def start(self, seen: int) -> Driver:
        self._count += 1
        told = self._folder / f"driver-{self._count}.txt"
        with told.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "jobs.cli", *self._command],
                env={**_as_ray_has_it(), **self._environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        driver = Driver(process=process, told=told, seen=seen)
        self.alive.append(driver)
        return driver

    def tend(self, seen: int) -> None:
        """Note which drivers have ended; start one if none is left and work is."""
        self._note_ends()
        if not self.alive and not self.is_done and time.monotonic() >= self.hold_until:
            self.start(seen)

    def _note_ends(self) -> None:
        for driver in list(self.alive):
            code = driver.process.poll()
            if code is not None:
                self.alive.remove(driver)
                self.ends[code, driver.last_line()] += 1
                self.is_done = self.is_done or code in DONE

    def active(self, least_age: float = 0.0) -> list[Driver]:
        """Those that are neither frozen nor younger than ``least_age`` seconds."""
        return [one for one in self.alive if not one.frozen and one.age >= least_age]

    def signal_one(self, rng: random.Random, which: signal.Signals, least_age: float) -> bool:
        """Send a signal to one of the active drivers; whether there was one."""
        found = self.active(least_age)
        if not found:
            return False
        driver = rng.choice(found)
        driver.frozen = which == signal.SIGSTOP
        driver.process.send_signal(which)
        return True

    def thaw(self) -> None:
        """Frozen drivers go on."""
        for driver in self.alive:
            if driver.frozen:
                driver.process.send_signal(signal.SIGCONT)
                driver.frozen = False

    def close(self) -> None:
        """No driver outlives this."""
        for driver in self.alive:
            driver.process.kill()
            driver.process.wait()

    def finish(self) -> list[str]:
        """Wait for the rest; says what did not end by itself."""
        self.thaw()
        faults = []
        deadline = time.monotonic() + LAST_SECONDS
        for driver in list(self.alive):
            try:
                driver.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                faults.append(f"a driver that had lost its output ran on: {driver.last_line()}")
                driver.process.kill()
                driver.process.wait()
        self._note_ends()
        return faults


def _as_ray_has_it() -> dict[str, str]:
    """This program's environment, without the patience that nodes are started with: a driver whose
    head is gone would wait for it."""
    return {name: value for name, value in os.environ.items() if name not in PATIENCE}
