"""Where random tensors come from.

Every draw names its purpose and its step, so a request's noise is a function of
(seed, name, step) and of nothing else: not of its batch, its worker, or a retry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from adabldm.core.devices import to_device
from adabldm.core.random_streams import counter_normal


class NoiseSource(Protocol):
    """``draw`` gives a standard normal tensor of ``shape`` (N, C, h, w)."""

    def draw(self, name: str, step: int | None, shape: Sequence[int]) -> torch.Tensor: ...


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
