"""Where random tensors come from.

Every draw names its purpose and its step, so a request's noise is a function of
(seed, name, step) and of nothing else: not of its batch, its worker, or a retry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from adabldm.devices import to_device


class NoiseSource(Protocol):
    """``draw`` gives a standard normal tensor of ``shape`` (N, C, h, w)."""

    def draw(self, name: str, step: int | None, shape: Sequence[int]) -> torch.Tensor: ...


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


class CounterNoise:
    """The default source: one seed a request of the batch."""

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.seeds, self.device = list(seeds), torch.device(device)

    def draw(self, name: str, step: int | None, shape: Sequence[int]) -> torch.Tensor:
        if shape[0] != len(self.seeds):
            raise ValueError(f"shape: {tuple(shape)}: the source has {len(self.seeds)} seeds")
        drawn = np.stack([counter_normal(seed, name, step, shape[1:]) for seed in self.seeds])
        return to_device(drawn, self.device)


class RecordedNoise:
    """Replays draws recorded under ``noise/NAME`` or ``noise/NAME/step_NNN``."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self.tensors = tensors

    def draw(self, name: str, step: int | None, shape: Sequence[int]) -> torch.Tensor:
        key = f"noise/{name}" if step is None else f"noise/{name}/step_{step:03d}"
        if key not in self.tensors:
            raise KeyError(f"{key}: not in the recording")
        drawn = self.tensors[key]
        if tuple(drawn.shape) != tuple(shape):
            raise ValueError(f"{key}: recorded shape {tuple(drawn.shape)}, asked {tuple(shape)}")
        return drawn.float()
