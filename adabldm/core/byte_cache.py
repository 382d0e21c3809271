"""Values that are kept within a limit of bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import TypeVar

from cachetools import LRUCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ByteCache(LRUCache[K, V]):
    """The values used last: together at most ``limit`` bytes, each as large as ``nbytes`` says.

    The newest stays even if it alone is larger. ``currsize`` is how many bytes are kept; keys are
    listed in the order in which they were set.
    """

    def __init__(self, limit: int, nbytes: Callable[[V], int]) -> None:
        super().__init__(math.inf, nbytes)
        self._limit = limit

    def __setitem__(self, key: K, value: V) -> None:
        self.pop(key, None)
        self.make_room(self.getsizeof(value))
        super().__setitem__(key, value)

    def make_room(self, nbytes: float) -> None:
        """Drop what was used longest ago until there is room for ``nbytes``, or nothing is left."""
        while len(self) and self.currsize + nbytes > self._limit:
            self.popitem()
