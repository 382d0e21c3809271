"""One input on its way through its doors, and what was found wrong."""

from __future__ import annotations

import random
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from adabldm.core.faults import InputFault

T = TypeVar("T")
MOST_LETTERS = 40_000
"""A refusal of more letters than this is none that anybody reads."""


class TimeUp(BaseException):
    """An input that takes longer than it may."""


@dataclass(frozen=True)
class Breach:
    """Something that must not be: at which ``door``, a ``sign`` by which equal ones are known, and
    all that is known of it."""

    door: str
    sign: str
    told: str


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a door gave: its ``value``, or its ``refusal``; neither where it broke."""

    value: T | None = None
    refusal: str | None = None

    @property
    def accepted(self) -> bool:
        return self.value is not None

    @property
    def refused(self) -> bool:
        return self.refusal is not None


@dataclass
class Case:
    """Input ``number`` of ``seed``; ``folder`` is its own and empty. ``kept`` are files by which
    it can be looked at."""

    seed: int
    number: int
    kind: str
    folder: Path
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    breaches: list[Breach] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed}:{self.number}:{self.kind}")  # noqa: S311
        self.arrays = np.random.default_rng([self.seed, self.number])

    def pick(self, weighted: Mapping[T, int]) -> T:
        """One of these, as often as its weight says."""
        return self.rng.choices(list(weighted), list(weighted.values()))[0]

    def call(
        self, door: str, faults: tuple[type[Exception], ...], action: Callable[[], T]
    ) -> Answer[T]:
        """What ``action`` gives, which may raise nothing but ``faults``."""
        try:
            value = action()
        except faults as fault:
            text = str(fault)
            if rule := _wording(fault, text):
                self.breach(door, f"{type(fault).__name__}: {rule}", text)
            self.counts[door, "refused"] += 1
            return Answer(refusal=text or "nothing said")
        except Exception as error:
            self.breach(door, f"{type(error).__name__} at {_place(error)}", traceback.format_exc())
            return Answer()
        self.counts[door, "accepted"] += 1
        return Answer(value=value)

    def require(self, door: str, holds: object, rule: str, told: object = "") -> None:
        """Something that must hold."""
        if not holds:
            self.breach(door, rule, f"{rule}\n{told}")

    def breach(self, door: str, sign: str, told: str) -> None:
        self.breaches.append(Breach(door, sign, told))

    def keep(self, name: str, data: bytes) -> bytes:
        """Remember a file of the input, written down only if something is wrong."""
        self.kept[name] = data
        return data


def _wording(fault: Exception, text: str) -> str | None:
    """What is wrong with a refusal's words, or None."""
    if not text.strip():
        return "says nothing"
    if len(text) > MOST_LETTERS:
        return "says too much"
    lines = fault.lines if isinstance(fault, InputFault) else text.split("\n")
    if any("\n" in line or "\r" in line for line in lines):
        return "a fault of several lines"
    if len(lines) > 1 and not all(": " in line for line in lines):
        return "a line without a field"
    if any("Traceback" in line for line in lines):
        return "shows a traceback"
    return None


def _place(error: BaseException) -> str:
    """The innermost line of the project's own."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/tests/" not in f.filename and "site-packages" not in f.filename]
    ours = [f for f in ours if any(f"/{p}/" in f.filename for p in ("adabldm", "cluster", "jobs"))]
    if not ours:
        return "a line outside the project"
    room = ours[-1].filename.split("/")[-3:]
    return f"{'/'.join(room)} {ours[-1].name}"
