"""What checks work with: one model on the device that is checked and on a CPU, and requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from adabldm.core import trimap
from adabldm.core.devices import make_repeatable
from adabldm.data import drawn_metal
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import ExactOptions, FastOptions, ModeOptions


@dataclass
class Bench:
    """``open_model`` gives a new pipeline on the CPU; ``device`` is checked (``cuda``; ``cpu``
    tries the checks themselves); ``count`` requests on pictures of ``side`` pixels; ``compiler`` is
    how networks are compiled, as :func:`torch.compile` takes it."""

    open_model: Callable[[], AdaBLDMPipeline]
    device: str = "cuda"
    count: int = 8
    side: int = 96
    exact: ExactOptions = field(default_factory=ExactOptions)
    fast: FastOptions = field(default_factory=FastOptions)
    compiler: dict[str, Any] = field(default_factory=lambda: {"mode": "reduce-overhead"})

    def fresh(self, device: str | None = None) -> AdaBLDMPipeline:
        """A new pipeline on a device, neither compiled nor otherwise tuned."""
        where = torch.device(device or self.device)
        make_repeatable(where)
        pipeline = self.open_model()
        pipeline.set_progress_bar_config(disable=True)
        pipeline.to(where)
        return pipeline

    @cached_property
    def plain(self) -> AdaBLDMPipeline:
        """On the device, untuned."""
        return self.fresh()

    @cached_property
    def on_cpu(self) -> AdaBLDMPipeline:
        return self.fresh("cpu")

    def requests(self, count: int | None = None) -> dict[str, list]:
        """Arguments of a call: drawn parts, and where a defect is to be."""
        found: dict[str, list] = {"images": [], "trimaps": [], "prompts": [], "seeds": []}
        for number in range(self.count if count is None else count):
            kind = drawn_metal.DEFECTS[number % len(drawn_metal.DEFECTS)]
            found["images"].append(drawn_metal.draw_part(number, self.side).image)
            mask = drawn_metal.draw_part(number, self.side, kind).mask
            found["trimaps"].append(trimap.compose(mask))
            found["prompts"].append(f"a metal surface with a {kind}")
            found["seeds"].append(number)
        return found

    def made(
        self,
        pipeline: AdaBLDMPipeline,
        options: ModeOptions,
        count: int | None = None,
        together: int | None = None,
    ) -> tuple[list[np.ndarray], float]:
        """The pairs' images, and seconds an image."""
        wanted: dict[str, Any] = self.requests(count)
        began = time.perf_counter()
        out = pipeline(**wanted, options=options, compute_batch=together)
        if pipeline.device.type == "cuda":
            torch.cuda.synchronize()
        return out.images, (time.perf_counter() - began) / len(out.images)


def defects_only(images: Sequence[np.ndarray], requests: dict[str, list]) -> list[np.ndarray]:
    """The pixels of ``images`` inside their defects, where alone anything is drawn."""
    return [
        image[marks == trimap.DEFECT]
        for image, marks in zip(images, requests["trimaps"], strict=True)
    ]
