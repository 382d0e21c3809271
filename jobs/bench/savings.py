"""What ``fast`` saves without changing what it computes: each saving taken back alone, and all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.encoding_cache import Encodings
from adabldm.sampling.options import FastOptions
from adabldm.sampling.predictor import NoisePredictor, timestep

Passes = Callable[[NoisePredictor, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]


@contextmanager
def _passes_by(wrap: Callable[[Passes], Passes]) -> Iterator[None]:
    original = NoisePredictor.passes
    NoisePredictor.passes = wrap(original)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        NoisePredictor.passes = original  # type: ignore[method-assign]


def control_twice(pipeline: AdaBLDMPipeline) -> AbstractContextManager[None]:
    """The control branch computed for each guidance pass."""
    del pipeline

    def wrap(passes: Passes) -> Passes:
        def twice(self: NoisePredictor, z: torch.Tensor, t: int) -> Any:
            self.control(z, t)
            return passes(self, z, t)

        return twice

    return _passes_by(wrap)


def passes_apart(pipeline: AdaBLDMPipeline) -> AbstractContextManager[None]:
    """The guidance passes as two calls of the U-Net."""
    del pipeline

    def wrap(passes: Passes) -> Passes:
        del passes

        def apart(self: NoisePredictor, z: torch.Tensor, t: int) -> Any:
            down, middle = self.control(z, t)
            return tuple(
                self.unet(
                    z,
                    timestep(z, t),
                    encoder_hidden_states=text,
                    down_block_additional_residuals=down,
                    mid_block_additional_residual=middle,
                    return_dict=False,
                )[0]
                for text in (self.texts.negative, self.texts.prompt)
            )

        return apart

    return _passes_by(wrap)


@contextmanager
def nothing_kept(pipeline: AdaBLDMPipeline) -> Iterator[None]:
    """Every text and good image encoded anew for each request."""
    kept, pipeline.encodings = pipeline.encodings, Encodings()
    try:
        yield
    finally:
        pipeline.encodings = kept


Undo = Callable[[AdaBLDMPipeline], AbstractContextManager[None]]
SAVINGS: dict[str, Undo] = {
    "control branch once": control_twice,
    "passes in one batch": passes_apart,
    "encodings kept": nothing_kept,
}


def measure(
    pipeline: AdaBLDMPipeline, requests: Sequence[dict[str, Any]]
) -> dict[str, tuple[float, int]]:
    """Print and return, by saving taken back: processor seconds an image and the largest change of
    a pixel, in grey levels. Encodings are there already, as in a job whose requests share them."""
    ways: dict[str, list[Undo]] = {"as it is": []}
    ways |= {f"without {name}": [undo] for name, undo in SAVINGS.items()}
    ways["without any"] = list(SAVINGS.values())
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    changes = dict.fromkeys(ways, 0)
    for request in requests:
        reference = pipeline(**request, options=FastOptions(resolution="model")).images[0]
        for name, undone in ways.items():
            with ExitStack() as stack:
                for undo in undone:
                    stack.enter_context(undo(pipeline))
                began = time.process_time()
                made = pipeline(**request, options=FastOptions(resolution="model")).images[0]
                seconds[name].append(time.process_time() - began)
            change = np.abs(made.astype(np.int16) - reference).max()
            changes[name] = max(changes[name], int(change))
    found = {name: (statistics.median(seconds[name]), changes[name]) for name in ways}
    whole = found["as it is"][0]
    print("\nfast, and what it saves without changing what it computes")
    for name, (each, change) in found.items():
        print(
            f"  {name:30}{each:7.2f} s/image{each / whole:7.2f} times, pixels by {change} at most"
        )
    print(flush=True)
    return found
