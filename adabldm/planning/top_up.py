"""Further rows of a plan, for types of which pairs are lacking.

Top-up ``n`` has rows from ``n * ROWS`` on, which no plan and no other top-up reaches: its requests
are new ones, and like all rows they are functions of (data set, seed, i).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from adabldm.planning.planner import LARGEST_BLOCK, PLACED, PlanBlock, Planner
from adabldm.planning.scopes import Pair

ROWS = 10**9
"""Rows of a plan, and of each top-up."""
FRUITLESS = 200
"""Rows of a type without a place, for each that has one, after which no more are tried."""


@dataclass
class _Type:
    """Rows of a type that are still ``lacking``; its ``following`` row and the one that ends them;
    those that were ``placed``, and those that were not."""

    lacking: int
    following: int
    end: int
    placed: int = 0
    in_vain: int = 0

    @property
    def is_open(self) -> bool:
        fruitful = self.in_vain < FRUITLESS * (self.placed + 1)
        return self.lacking > 0 and fruitful and self.following < self.end


class TopUp:
    """Top-up ``number`` (from 1) of ``planner``'s types, as many rows as each is ``lacking``."""

    def __init__(self, planner: Planner, number: int, lacking: Mapping[Pair, int]) -> None:
        self._planner, self._stride = planner, len(planner.pairs)
        first = number * ROWS
        self._types = {
            pair: _Type(lacking[name], first + (pair - first) % self._stride, first + ROWS)
            for pair in range(self._stride)
            if lacking.get(name := planner.names(pair), 0) > 0
        }

    @property
    def lacking(self) -> dict[Pair, int]:
        """Rows that are still lacking, by type; once all blocks are drawn they have no place."""
        found = ((self._planner.names(pair), one.lacking) for pair, one in self._types.items())
        return {name: count for name, count in found if count}

    def blocks(self) -> Iterator[PlanBlock]:
        """Blocks of rows until nothing is lacking, or what is lacking finds no place."""
        while some := {pair: one for pair, one in self._types.items() if one.is_open}:
            most = max(1, LARGEST_BLOCK // len(some))
            rows = np.sort(np.concatenate([self._next(one, most) for one in some.values()]))
            block = self._planner.block(rows)
            for pair, one in some.items():
                outcome = block.outcome[block.pair == pair]
                placed = int((outcome == PLACED).sum())
                one.placed, one.lacking = one.placed + placed, one.lacking - placed
                one.in_vain += len(outcome) - placed
            yield block

    def _next(self, one: _Type, most: int) -> np.ndarray:
        """The next rows of a type: as many as are lacking, and not more than ``most``."""
        count = min(one.lacking, most)
        rows = one.following + self._stride * np.arange(count, dtype=np.uint64)
        one.following += self._stride * count
        return rows.astype(np.uint64)
