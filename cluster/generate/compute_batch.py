"""How many requests a worker computes together: a given number, as many as fit, and half of it when
memory runs out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal

AUTO: Literal["auto"] = "auto"
AUTO_BATCH_SIZE = 32
"""Batch size, and so the largest compute batch, where the worker finds the compute batch."""

ComputeBatch = int | Literal["auto"] | None
"""How many requests are computed together on a device, of the batch that a call has. None leaves it
to the pipeline: on a CPU one, which makes a request's bits its own."""


class ComputeBatches:
    """The compute batch of each model of a worker on ``device``."""

    def __init__(self, wanted: ComputeBatch, device: str) -> None:
        self._wanted, self._device = wanted, device
        self._sizes: dict[str, int] = {}

    def of(self, model: str, trial: Callable[[int], object]) -> int | None:
        """The batch of ``model``; with ``auto`` it is found first by calling ``trial`` with sizes.

        Raises what ``trial`` raises, out-of-memory apart.
        """
        if self._wanted is None:
            return None
        if model not in self._sizes:
            self._sizes[model] = self._find(trial) if self._wanted == AUTO else self._wanted
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

        return largest_batch(trial, AUTO_BATCH_SIZE, memory_of(self._device))


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is torch's; a backend without torch cannot raise it, and torch stays unloaded."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
