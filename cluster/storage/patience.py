"""Waiting for a store that is away for a moment, where nothing else could go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from adabldm.core.faults import JobFault
from cluster.storage.location import Location

ATTEMPTS = 8
"""About 25 s of a store that stays away; on a local disk there is nothing to wait for."""
FIRST_WAIT_SECONDS = 0.2
T = TypeVar("T")


def patiently(place: Location, action: Callable[[], T]) -> T:
    """``action()`` on ``place``, tried again after any ``OSError``, a refusal too: a store that
    refuses now may not do so in a moment. Raises :class:`JobFault` when it does not pass."""
    attempts = Retrying(
        stop=stop_after_attempt(1 if place.is_local else ATTEMPTS),
        wait=wait_exponential(FIRST_WAIT_SECONDS, exp_base=2),
        retry=retry_if_exception_type(OSError),
        reraise=True,
    )
    try:
        return attempts(action)
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise JobFault(f"{place.shown}: {why}") from error
