"""What goes wrong, told once: which field, which value, which rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

from adabldm.core.redaction import redacted


class ExitCode(IntEnum):
    """How a command ends: all went well; it stopped, and the same command continues; its input was
    refused and nothing was written; it went through, and some of what was asked for failed."""

    OK = 0
    STOPPED = 1
    BAD_INPUT = 2
    SOME_FAILED = 3


def printable(text: str) -> str:
    """``text`` with what would end or garble its line written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class InputFault(ValueError):
    """Input that is refused before anything starts; ``lines`` holds one fault each."""

    def __init__(self, *lines: str) -> None:
        shown = [redacted(line) for line in lines]
        super().__init__("\n".join(shown))
        self.lines: Sequence[str] = shown

    @classmethod
    def of(cls, field: str, value: object, rule: str) -> InputFault:
        """``field: value: rule``."""
        return cls(f"{field}: {value!r}: {rule}")


class Terminated(KeyboardInterrupt):
    """The program was asked to end by SIGTERM, as schedulers and clouds do before they take a
    machine away."""


def one_line(error: BaseException) -> str:
    """What an error says, on one line, without a terminal's colours and without credentials."""
    told = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    return redacted(told) or type(error).__name__


def of_the_world(error: OSError) -> str:
    """What an error of a disk, a network or a store says, on one line: where, if it tells, and
    why."""
    if not error.strerror:
        return one_line(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    return one_line(OSError(f"{where}{error.strerror}"))


class JobFault(RuntimeError):
    """A job that cannot go on; what is committed stays, and the same command continues it."""

    def __init__(self, why: object = "") -> None:
        super().__init__(redacted(str(why)))
