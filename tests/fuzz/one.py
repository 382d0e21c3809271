"""One input, within its time and memory."""

from __future__ import annotations

import importlib
import resource
import shutil
import signal
import sys
import traceback
import warnings
from pathlib import Path
from types import FrameType

from tests.fuzz.case import Breach, Case, TimeUp
from tests.fuzz.doors import KINDS

SECONDS = 20
"""What an input may compute; a command of its own has its own limit."""
WAITED = 4
"""It may take so many times as long by the clock: the machine may be busy."""
COMMAND_SECONDS = 120
MEMORY = 1_500_000_000
"""Bytes by which an input may enlarge the process's memory."""
ADDRESSES = 12 << 30
"""Bytes of addresses that a process may have in all."""


def kind_of(seed: int, number: int) -> str:
    """The kind of input ``number``, by the kinds' shares."""
    case = Case(seed, number, "", Path())
    return case.pick({name: kind.share for name, kind in KINDS.items()})


def limit_memory() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, most))


def warm_up() -> None:
    """Load what doors load when they are first used, so that no input pays for it."""
    for name in ("adabldm.planning.planner", "cluster.manifest.writer", "deltalake"):
        importlib.import_module(name)


def run_one(seed: int, number: int, folder: Path) -> Case:
    """Input ``number`` of ``seed``, in ``folder``, which is made."""
    folder.mkdir(parents=True)
    case = Case(seed, number, kind_of(seed, number), folder)
    before = _most_memory()
    limit = COMMAND_SECONDS if case.kind == "commands" else SECONDS
    signal.signal(signal.SIGALRM, _time_is_up)
    signal.signal(signal.SIGPROF, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, WAITED * limit)
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            KINDS[case.kind].run(case)
    except Exception:
        case.breach("the fuzz itself", "an error of its own", traceback.format_exc())
    except TimeUp:
        case.breaches.append(Breach(case.kind, f"takes more than {limit} s", ""))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
    if (grown := _most_memory() - before) > MEMORY:
        case.breaches.append(Breach(case.kind, "takes too much memory", f"{grown} bytes"))
    return case


def clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _time_is_up(number: int, frame: FrameType | None) -> None:
    raise TimeUp


def _most_memory() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
