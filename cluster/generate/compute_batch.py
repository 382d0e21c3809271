"""How many requests a worker computes together: as asked, as many as fit, and half of it when
memory runs out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal

AUTO: Literal["auto"] = "auto"
AUTO_ROWS = 32
"""Rows a call, and so the most that are computed together, where the worker finds the number."""

ComputeBatch = int | Literal["auto"] | None
"""None leaves it to the pipeline: on a CPU one, which makes a request's bits its own."""


class ComputeBatches:
    """The compute batch of each model of a worker on ``device``."""

    def __init__(self, asked: ComputeBatch, device: str) -> None:
        self._asked, self._device = asked, device
        self._sizes: dict[str, int] = {}

    def of(self, model: str, trial: Callable[[int], object]) -> int | None:
        """The batch of ``model``; with ``auto`` it is found first by calling ``trial`` with sizes.

        Raises what ``trial`` raises, out-of-memory apart.
        """
        if self._asked is None:
            return None
        if model not in self._sizes:
            self._sizes[model] = self._find(trial) if self._asked == AUTO else self._asked
        return self._sizes[model]

    def halve(self, model: str) -> bool:
        """After out-of-memory: give memory back and take half the batch; False if it is 1, or left
        to the pipeline."""
        from adabldm.sampling.batch_fitting import memory_of

        memory_of(self._device).clear()
        size = self._sizes.get(model, 1)
        self._sizes[model] = max(1, size // 2)
        return size > 1

    def _find(self, trial: Callable[[int], object]) -> int:
        from adabldm.sampling.batch_fitting import largest_batch, memory_of

        return largest_batch(trial, AUTO_ROWS, memory_of(self._device))


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is torch's; a backend without torch cannot raise it, and torch stays unloaded."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
