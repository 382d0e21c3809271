"""Work that many threads ask for and one does."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

from cachetools import LRUCache

T = TypeVar("T")


class Once(Generic[T]):
    """Keeps the last ``limit`` results (or errors) by key; each is made by the first to ask."""

    def __init__(self, limit: int) -> None:
        self._lock = Lock()
        self._kept: LRUCache[Hashable, Future[T]] = LRUCache(limit)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result for ``key``; raises what ``make`` raised."""
        with self._lock:
            future = self._kept.get(key)
            first = future is None
            if future is None:
                future = self._kept[key] = Future()
        if first:
            try:
                future.set_result(make())
            except Exception as error:
                future.set_exception(error)
        return future.result()
