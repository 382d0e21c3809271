"""How long a worker has been computing, and whether that is too long."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class _Call:
    began: float
    requests: frozenset[str]


class Watch:
    """Over the calls of one thread, of which each request may take ``seconds``; None: any time."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._call: _Call | None = None

    @contextmanager
    def over(self, requests: Collection[str]) -> Iterator[None]:
        """While ``requests`` are computed."""
        self._call = _Call(time.monotonic(), frozenset(requests))
        try:
            yield
        finally:
            self._call = None

    def overdue(self) -> frozenset[str]:
        """The requests of the call under way, if it has taken longer than it may."""
        call = self._call
        if call is None or self._seconds is None:
            return frozenset()
        late = time.monotonic() - call.began > self._seconds * len(call.requests)
        return call.requests if late else frozenset()
