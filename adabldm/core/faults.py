"""What goes wrong, told once: which field, which value, which rule."""

from __future__ import annotations

from collections.abc import Sequence


class InputFault(ValueError):
    """Input that is refused before anything starts; ``lines`` holds one fault each."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines: Sequence[str] = lines

    @classmethod
    def of(cls, field: str, value: object, rule: str) -> InputFault:
        """``field: value: rule``."""
        return cls(f"{field}: {value!r}: {rule}")


class JobFault(RuntimeError):
    """A job that cannot go on; what is committed stays, and the same command continues it."""
