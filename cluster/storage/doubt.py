"""A store that denies a file may do so for a moment only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from adabldm.core.faults import InputFault, JobFault
from cluster.storage import web
from cluster.storage.location import Location, insistently
from cluster.storage.patience import ATTEMPTS, FIRST_WAIT_SECONDS

FINAL = (FileNotFoundError, PermissionError, NotADirectoryError)
"""What a file that has gone, or may not be read, raises."""
BELIEVED_SECONDS = 60.0
T = TypeVar("T")


class Doubt:
    """What a store denies is asked for again, for about 25 s, before it is believed; then it is
    believed at once for a minute. Threads may share one."""

    def __init__(self) -> None:
        self._believed_until = 0.0

    def ask(
        self, place: Location, action: Callable[[], T], of: type[OSError] = PermissionError
    ) -> T:
        """``action()`` on ``place``, tried again after errors ``of`` this kind. Raises the last."""
        never = place.is_local or place.protocol in web.HTTP
        attempts = Retrying(
            stop=stop_after_attempt(1 if never or self._is_believed() else ATTEMPTS),
            wait=wait_exponential(FIRST_WAIT_SECONDS, exp_base=2),
            retry=retry_if_exception_type(of),
            reraise=True,
        )
        try:
            return attempts(action)
        except FINAL:
            if not never and not self._is_believed():
                self._believed_until = time.monotonic() + BELIEVED_SECONDS
            raise

    def _is_believed(self) -> bool:
        return time.monotonic() < self._believed_until


def undenied(place: Location, action: Callable[[], T]) -> T:
    """As :func:`~cluster.storage.location.insistently`, and what is denied is asked for again."""
    return Doubt().ask(place, lambda: insistently(action))


def believed(
    place: Location, look: Callable[[], T], of: tuple[type[Exception], ...] = (Exception,)
) -> T:
    """``look()`` at the file at ``place``, again and again for about 25 s where a store lets it
    raise anything ``of`` this kind: a store may be away, deny, or give another's page for a moment.
    That there is no such file, and faults that were told already, are believed at once. Raises the
    last error."""
    attempts = Retrying(
        stop=stop_after_attempt(1 if place.is_local else ATTEMPTS),
        wait=wait_exponential(FIRST_WAIT_SECONDS, exp_base=2),
        retry=retry_if_exception(lambda error: isinstance(error, of) and not _is_told(error)),
        reraise=True,
    )
    return attempts(look)


def _is_told(error: BaseException) -> bool:
    return isinstance(error, (FileNotFoundError, InputFault, JobFault))
