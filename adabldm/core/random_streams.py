"""Random numbers that are a function of (seed, purpose, index) and of nothing else.

Every use of chance has a purpose of its own, a text that names it, so no two uses share numbers.
Three forms: :func:`stream`, an ordinary generator for one example, case or picture;
:class:`RowStreams`, a number for each of millions of rows at once; :func:`counter_normal`, the
noise of one request or example.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)


def stream(seed: int, purpose: str, *indices: int) -> np.random.Generator:
    """An ordinary generator, keyed by a hash of (seed, purpose, indices).

    Other purposes and other indices give independent numbers.
    """
    text = json.dumps([int(seed), purpose, *map(int, indices)])
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


class RowStreams:
    """Numbers for rows (uint64 (N,)), by ``seed`` and purpose.

    A row's numbers do not depend on how many rows are drawn, in which order, or together with which
    others. SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA
    2014): a counter times an odd constant, mixed; each purpose starts at a place of its own.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._starts: dict[str, np.uint64] = {}

    def bits(self, purpose: str, rows: np.ndarray) -> np.ndarray:
        """64 random bits a row, uint64 (N,); different rows have different ones."""
        mixed = rows * _INCREMENT
        mixed += self._start(purpose)
        mixed ^= mixed >> np.uint64(30)
        mixed *= _FIRST_FACTOR
        mixed ^= mixed >> np.uint64(27)
        mixed *= _SECOND_FACTOR
        mixed ^= mixed >> np.uint64(31)
        return mixed

    def uniform(self, purpose: str, rows: np.ndarray) -> np.ndarray:
        """A number in [0, 1) a row, float64 (N,)."""
        return (self.bits(purpose, rows) >> np.uint64(11)) * 2.0**-53

    def below(self, purpose: str, rows: np.ndarray, limits: np.ndarray | int) -> np.ndarray:
        """A whole number in 0 .. limit - 1 a row, int64 (N,); ``limits`` are below 2**40."""
        return (self.uniform(purpose, rows) * limits).astype(np.int64)

    def generator(self, purpose: str) -> np.random.Generator:
        """An ordinary generator, for what is drawn once a plan and not once a row."""
        return np.random.default_rng(int(self._start(purpose)))

    def _start(self, purpose: str) -> np.uint64:
        found = self._starts.get(purpose)
        if found is None:
            text = f"{self.seed}/{purpose}".encode()
            digest = hashlib.blake2b(text, digest_size=8).digest()
            found = self._starts[purpose] = np.uint64(int.from_bytes(digest, "little"))
        return found


def counter_normal(seed: int, name: str, step: int | None, shape: Sequence[int]) -> np.ndarray:
    """Standard normal float32 values of ``shape``, a function of the arguments alone.

    The counter-based Philox generator, keyed by a hash of (seed, name, step), gives uniform
    numbers; Box-Muller makes them normal. Neither depends on numpy's version.
    """
    text = f"{seed}/{name}/{'' if step is None else step}"
    key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")
    count = int(np.prod(shape))
    raw = np.random.Philox(key=key).random_raw(2 * ((count + 1) // 2))
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    first, second = uniform.reshape(2, -1)
    radius = np.sqrt(-2 * np.log(first))
    angle = 2 * np.pi * second
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
    return normal.astype(np.float32).reshape(tuple(shape))
