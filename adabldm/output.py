"""What a call of the pipeline gives back, and how its time is taken."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from adabldm.options import RequestTrace


class SamplingFault(RuntimeError):
    """The model gave values that are no image (not a number, or infinite)."""


@dataclass(frozen=True, kw_only=True)
class AdaBLDMOutput:
    """One entry a request, at the model's size S: ``images`` the pairs' images, uint8 (S, S, 3);
    ``masks`` uint8 (S, S) of 0 / 255; ``sources`` the good images and ``trimaps`` as the model saw
    them; ``blended`` the images before adaptation; ``traces`` losses, timings, quality."""

    images: list[np.ndarray]
    masks: list[np.ndarray]
    sources: list[np.ndarray]
    trimaps: list[np.ndarray]
    blended: list[np.ndarray]
    traces: list[RequestTrace]


@dataclass
class Clock:
    """Seconds a stage, summed."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, device: torch.device) -> Iterator[None]:
        began = time.perf_counter()
        yield
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began
