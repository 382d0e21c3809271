"""The largest batch that fits in a device's memory, found by trying."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Protocol

import torch

from adabldm.core.devices import uncompiled

MARGIN = 0.15
"""Share of the memory that a batch must leave: other requests' work differs, memory crumbles."""


class Memory(Protocol):
    """What is asked of a device's memory."""

    def clear(self) -> None:
        """Give back what is not in use, and forget the peak."""

    def peak_share(self) -> float:
        """The most that was taken since :meth:`clear`, as a share of all there is."""


class CudaMemory:
    """The memory of the current GPU."""

    def clear(self) -> None:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def peak_share(self) -> float:
        _, total = torch.cuda.mem_get_info()
        return torch.cuda.max_memory_reserved() / total


class UnboundedMemory:
    """Memory that is not asked: only its exhaustion tells."""

    def clear(self) -> None:
        gc.collect()

    def peak_share(self) -> float:
        return 0.0


def memory_of(device: str) -> Memory:
    """The memory of ``device`` (``cpu`` or ``cuda``)."""
    return CudaMemory() if device == "cuda" and torch.cuda.is_available() else UnboundedMemory()


def largest_batch(run: Callable[[int], object], limit: int, memory: Memory) -> int:
    """The largest power of two up to ``limit`` that ``run`` makes without running out of memory
    and with :data:`MARGIN` to spare; 1 if none does."""
    found, size = 1, 1
    while size <= limit and _fits(run, size, memory):
        found, size = size, 2 * size
    memory.clear()
    return found


def _fits(run: Callable[[int], object], size: int, memory: Memory) -> bool:
    memory.clear()
    try:
        with uncompiled():
            run(size)
    except torch.OutOfMemoryError:
        return False
    return memory.peak_share() <= 1 - MARGIN
