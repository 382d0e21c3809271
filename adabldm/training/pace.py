"""How many steps of a phase fit into a time, on the machine at hand."""

from __future__ import annotations

import copy
import time
from dataclasses import replace

import numpy as np
import torch

from adabldm.training.loop import Phase, State, Trainer
from adabldm.training.options import TrainOptions

WARM_UP, TIMED = 10, 30
"""Steps before the clock starts, in which kernels are chosen, and timed ones."""


class _Nowhere:
    def load(self) -> State | None:
        return None

    def save(self, step: int, state: State) -> None:
        pass

    def log(self, step: int, facts: dict[str, float]) -> None:
        pass

    def picture(self, step: int, pixels: np.ndarray) -> None:
        pass


def steps_within(seconds: float, phase: Phase, options: TrainOptions, device: torch.device) -> int:
    """Steps of ``phase`` that take about ``seconds`` on ``device``, 1 or more. Some are taken to
    find out; the phase's weights are as before afterwards."""
    before = copy.deepcopy(phase.module.state_dict())
    _run(phase, options, WARM_UP, device)
    began = time.perf_counter()
    _run(phase, options, TIMED, device)
    took = (time.perf_counter() - began) / TIMED
    phase.module.load_state_dict(before)
    return max(1, round((seconds - WARM_UP * took) / took) - TIMED)


def _run(phase: Phase, options: TrainOptions, steps: int, device: torch.device) -> None:
    brief = replace(options, steps=steps, save_every=steps + 1, look_every=steps + 1)
    trainer = Trainer(phase, brief, _Nowhere(), device=device)
    trainer.look = lambda: None  # type: ignore[method-assign]
    trainer.run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
