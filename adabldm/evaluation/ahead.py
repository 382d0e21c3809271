"""Work that threads do a little ahead of whoever uses its results, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

THREADS = 2
AHEAD = 4
"""Results that wait to be used."""


def ahead(function: Callable[[A], B], items: Sequence[A]) -> Iterator[B]:
    """``map(function, items)``, at most :data:`AHEAD` results held. Raises what it raises."""
    waiting: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(THREADS)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
