"""Work that threads do a little ahead of whoever uses its results, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def ahead(
    function: Callable[[A], B], items: Iterable[A], *, threads: int = 2, held: int = 4
) -> Iterator[B]:
    """``map(function, items)``, with at most ``held`` results waiting. Raises what it raises."""
    waiting: deque[Future[B]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > held:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
