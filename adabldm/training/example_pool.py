"""Training examples made ahead by several processes, and kept."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Future, ProcessPoolExecutor

import torch

from adabldm.training.examples import Example, ExampleStream

TOGETHER = 32
"""Examples that a process makes in one go."""

NICE = 10
"""How far they stand back behind the process that trains."""

_stream: ExampleStream


class ExamplePool:
    """The first ``count`` examples of ``stream``, made by ``processes`` from now on; as long as an
    example is not there yet, asking for it waits.

    Which process makes an example changes nothing in it. Close it, or use it in a ``with`` block.
    """

    def __init__(self, stream: ExampleStream, *, count: int, processes: int) -> None:
        self.size, self.count = stream.size, count
        stream.learn()
        self._workers = ProcessPoolExecutor(
            processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(stream,),
        )
        starts = range(0, count, TOGETHER)
        self._parts: list[Future[list[Example]]] = [
            self._workers.submit(_make, start, min(start + TOGETHER, count)) for start in starts
        ]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """Example ``index``. Raises ``IndexError`` outside 0..count-1, or what making it
        raised."""
        if not 0 <= index < self.count:
            raise IndexError(f"example {index}: must be in 0..{self.count - 1}")
        return self._parts[index // TOGETHER].result()[index % TOGETHER]

    def __enter__(self) -> ExamplePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; examples that were not begun are never made."""
        self._workers.shutdown(cancel_futures=True)


def _begin(stream: ExampleStream) -> None:
    global _stream
    os.nice(NICE)
    torch.set_num_threads(1)
    _stream = stream


def _make(start: int, stop: int) -> list[Example]:
    return [_stream[index] for index in range(start, stop)]
