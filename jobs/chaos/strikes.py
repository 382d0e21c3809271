"""How each kind of fault is done to a round."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from jobs.chaos.clock import Clock
from jobs.chaos.crew import Crew
from jobs.chaos.faulty_store import FaultyStore, StoreFault
from jobs.chaos.local_cluster import LocalCluster
from jobs.chaos.outputs import Disk, Output
from jobs.chaos.schedule import Fault

JUMPS = (-86_400, -3_600, -60, 60, 3_600, 86_400)
WHILE_WORKING = 0.75
"""Such a share of the faults of a store or a disk waits until rows come; the others may strike
while a driver starts."""
WORKING_COMMITS = 2
"""By so many the index has grown when a driver is past its checks: its claim, and rows."""


@dataclass
class World:
    """What faults strike. ``pace`` stretches the seconds between them; ``later`` has what undoes
    them, and when."""

    cluster: LocalCluster
    crew: Crew
    store: FaultyStore
    output: Output
    clock: Clock
    pace: float = 1.0
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    is_retried: bool = False
    """Whether files were replaced, so that rows may have failed that are to be made again."""

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.later.append((time.monotonic() + seconds, action))

    def undo(self, *, all_of_it: bool = False) -> None:
        """Do what it is time for."""
        due = [one for one in self.later if all_of_it or one[0] <= time.monotonic()]
        self.later = [one for one in self.later if one not in due]
        for _, action in due:
            action()

    def is_working(self) -> bool:
        """Whether there is one driver only, and it has committed rows."""
        drivers = self.crew.active()
        if len(drivers) != 1 or len(self.crew.alive) != 1:
            return False
        return self.output.version() >= drivers[0].seen + WORKING_COMMITS


def strike(fault: Fault, world: World) -> bool:
    """Do it; False if there is nothing to do it to at the moment."""
    rng = random.Random(fault.seed)  # noqa: S311
    return STRIKES.get(fault.kind, _store)(fault, world, rng)


def _store(fault: Fault, world: World, rng: random.Random) -> bool:
    # A picture that is not yet known has no right bytes.
    while_working = fault.kind == "wrong bytes" or rng.random() < WHILE_WORKING
    if while_working and not world.is_working():
        return False
    share, seconds = rng.choice((0.2, 0.5, 1.0)), rng.uniform(0.5, 6.0)
    world.store.strike(cast(StoreFault, fault.kind), share, seconds)
    return True


def _worker(fault: Fault, world: World, rng: random.Random) -> bool:
    del fault
    return world.cluster.kill_worker(rng)


def _raylet(fault: Fault, world: World, rng: random.Random) -> bool:
    del fault
    world.cluster.kill_raylet(rng)
    return True


def _node(fault: Fault, world: World, rng: random.Random) -> bool:
    del fault
    world.cluster.lose_node(rng)
    return True


def _drained(fault: Fault, world: World, rng: random.Random) -> bool:
    """A spot notice, and some seconds later the node is gone."""
    del fault
    if not world.is_working():
        return False
    seconds = rng.uniform(5, 25)
    world.after(seconds, world.cluster.drain_node(rng, seconds))
    return True


def _head(fault: Fault, world: World, rng: random.Random) -> bool:
    del fault, rng
    if not world.is_working():
        return False
    world.cluster.lose_head()
    return True


def _killed(fault: Fault, world: World, rng: random.Random) -> bool:
    del fault
    return world.crew.signal_one(rng, signal.SIGKILL, rng.uniform(0, 30))


def _terminated(fault: Fault, world: World, rng: random.Random) -> bool:
    del fault
    return world.crew.signal_one(rng, signal.SIGTERM, rng.uniform(5, 30))


def _two(fault: Fault, world: World, rng: random.Random) -> bool:
    """Another driver beside the one that works, or two where it was killed."""
    del fault
    if not world.crew.active(5.0) or time.monotonic() < world.crew.hold_until:
        return False
    if rng.random() < 0.5:
        world.crew.signal_one(rng, signal.SIGKILL, 0)
        world.crew.start(world.output.version())
    world.crew.start(world.output.version())
    return True


def _frozen(fault: Fault, world: World, rng: random.Random) -> bool:
    """A driver stands still, another takes over, and then the first one goes on."""
    del fault
    if not world.is_working() or time.monotonic() < world.crew.hold_until:
        return False
    world.crew.signal_one(rng, signal.SIGSTOP, 0)
    world.crew.start(world.output.version())
    world.after(rng.uniform(10, 30), world.crew.thaw)
    return True


def _full(fault: Fault, world: World, rng: random.Random) -> bool:
    del fault
    disk = cast(Disk, world.output)
    if rng.random() < WHILE_WORKING and not world.is_working():
        return False
    world.after(rng.uniform(1, 6), disk.fill(rng.choice((0, 4096, 300_000))))
    return True


def _replaced(fault: Fault, world: World, rng: random.Random) -> bool:
    """A picture is another one, or gone, for some time; it is the same again before any driver
    checks it."""
    del fault
    if not world.is_working():
        return False
    files = sorted(cast(Disk, world.output).files.glob("files/*.png"))
    file, other = rng.sample(files, 2)
    kept, seconds = file.read_bytes(), rng.uniform(0.5, 4.0)
    if rng.random() < 0.5:
        _put(file, other.read_bytes())
    else:
        file.unlink()
    world.crew.hold_until = time.monotonic() + seconds + 1
    world.is_retried = True
    world.after(seconds, lambda: _put(file, kept))
    return True


def _put(file: Path, data: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(data)
    new.replace(file)


def _jump(fault: Fault, world: World, rng: random.Random) -> bool:
    del fault
    world.clock.move(rng.choice(JUMPS))
    world.after(rng.uniform(2, 10), lambda: world.clock.move(0))
    return True


STRIKES: dict[str, Callable[[Fault, World, random.Random], bool]] = {
    "worker killed": _worker,
    "raylet killed": _raylet,
    "node lost": _node,
    "node drained": _drained,
    "head lost": _head,
    "driver killed": _killed,
    "SIGTERM": _terminated,
    "two drivers": _two,
    "frozen driver, another takes over": _frozen,
    "disk full": _full,
    "file replaced": _replaced,
    "clock jump": _jump,
}
