"""How long a worker has been loading or computing, and whether that is too long."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Late:
    """``requests`` of a call that takes too long: it computes, or ``loads`` its model."""

    requests: frozenset[str]
    loads: bool


@dataclass(frozen=True)
class _Call:
    began: float
    most: float | None
    late: Late


class Watch:
    """Over the calls of one thread, of which each request may take ``seconds``, and getting its
    model ready ``loading`` seconds; None: any time."""

    def __init__(self, seconds: float | None, loading: float | None = None) -> None:
        self._seconds, self._loading = seconds, loading
        self._call: _Call | None = None

    @contextmanager
    def over(self, requests: Collection[str], *, loads: bool = False) -> Iterator[None]:
        """While ``requests`` are computed, or their model is loaded."""
        most = self._loading
        if not loads:
            most = None if self._seconds is None else self._seconds * len(requests)
        self._call = _Call(time.monotonic(), most, Late(frozenset(requests), loads))
        try:
            yield
        finally:
            self._call = None

    def overdue(self) -> Late | None:
        """The call under way, if it has taken longer than it may."""
        call = self._call
        if call is None or call.most is None or time.monotonic() - call.began <= call.most:
            return None
        return call.late
