"""How large a pool of workers is, and how rows are cut into what a worker takes at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

CALLS = 2
"""Calls under way in a worker: one computes while the other stores."""
SHARES = 4
"""Towards the end of the rows a block is this part of a worker's share of what is left."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """``least`` to ``most`` workers of ``gpus`` each (0: one CPU each), each of which takes at most
    ``batch_size`` requests a call."""

    least: int
    most: int
    gpus: float
    batch_size: int

    @property
    def device(self) -> Literal["cuda", "cpu"]:
        """What a worker computes on."""
        return "cuda" if self.gpus else "cpu"

    @property
    def queued(self) -> int:
        """Blocks that a worker holds: those under way and, on a GPU, which is quick, as many at
        hand. What a worker holds at the end, no other can take."""
        return 2 * CALLS if self.gpus else CALLS


def block_size(left: int, pool: Pool) -> int:
    """How many of the ``left`` rows the next block gets.

    A worker that holds its last blocks while others have none left is what a tail is made of. On
    CPU workers the blocks therefore shrink: none holds more than its share of the rows that are
    left when it is cut, down to one row. On a GPU, where a short batch is padded and costs as much
    as a full one, and with one worker, all are full.
    """
    shares = 1 if pool.gpus or pool.most == 1 else pool.most * SHARES
    return min(pool.batch_size, math.ceil(left / shares))


def block_sizes(count: int, pool: Pool) -> list[int]:
    """How many of ``count`` rows each block gets, in order."""
    sizes = []
    while count > 0:
        sizes.append(block_size(count, pool))
        count -= sizes[-1]
    return sizes
