"""How a long step of the method says how far it is, whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""


def untold(done: int, total: int) -> None:
    """Progress that nobody follows."""
    del done, total
