"""What windows and candidates cost: ``python -m jobs.bench.windows``.

The same requests on drawn parts of 512 pixels go by turns through both modes, at the model's size
and in windows, with one candidate and with four. Rates are by processor time, on one thread; the
arithmetic is counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from adabldm.core import trimap
from adabldm.core.devices import tune
from adabldm.cost import arithmetic
from adabldm.data import drawn_metal
from adabldm.judging.options import JudgeOptions
from adabldm.networks.embedded import embedded_path
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import ExactOptions, FastOptions, ModeOptions, Resolution
from jobs.progress import Tracker

SIDE, EXTENT = 512, 256
CANDIDATES = 4
MODES: dict[str, ModeOptions] = {"exact": ExactOptions(), "fast": FastOptions()}


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to make a pair, and what it took: processor ``seconds``, ``gflop`` and the judge's
    ``coverage`` of each."""

    mode: str
    resolution: Resolution
    candidates: int
    seconds: list[float] = field(default_factory=list)
    gflop: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)

    @property
    def options(self) -> ModeOptions:
        return replace(MODES[self.mode], resolution=self.resolution)


def requests(count: int) -> list[dict[str, Any]]:
    """Drawn parts without a defect, and where one is to be."""
    found = []
    for index in range(count):
        defect = drawn_metal.DEFECTS[index % len(drawn_metal.DEFECTS)]
        part = drawn_metal.draw_part(1000 + index, SIDE, defect, extent=EXTENT)
        good = drawn_metal.draw_part(1000 + index, SIDE).image
        marks, prompt = trimap.compose(part.mask), f"a metal surface with a {defect}"
        found.append({"images": [good], "trimaps": [marks], "prompts": [prompt], "seeds": [index]})
    return found


def measure(pipeline: AdaBLDMPipeline, ways: Sequence[Way], count: int) -> None:
    """Make ``count`` pairs in each way, by turns."""
    costs = {
        name: arithmetic.cost_of_calls(arithmetic.Parts.of(pipeline), options)
        for name, options in MODES.items()
    }
    with Tracker("pairs", count * len(ways)) as tracker:
        for number, request in enumerate(requests(count)):
            for place, way in enumerate(ways):
                judge = JudgeOptions(candidates=way.candidates)
                with arithmetic.counted_calls(pipeline, way.options) as calls:
                    began = time.process_time()
                    made = pipeline(**request, options=way.options, judge=judge)
                    way.seconds.append(time.process_time() - began)
                calls[arithmetic.CORRECTION] *= way.candidates
                way.gflop.append(sum(arithmetic.work(calls, costs[way.mode]).values()))
                way.coverage.append(made.traces[0].quality["coverage"])
                tracker.update(number * len(ways) + place + 1)


def show(ways: Sequence[Way]) -> None:
    """A table of medians; ratios are to the same mode at the model's size with one candidate."""
    table = Table(title="a pair of 512 x 512 pixels, one thread", title_justify="left")
    for heading in ("mode", "resolution", "candidates", "s", "ratio", "GFLOP", "coverage"):
        table.add_column(heading, no_wrap=True)
    for way in ways:
        plain = next(one for one in ways if one.mode == way.mode)
        seconds, base = statistics.median(way.seconds), statistics.median(plain.seconds)
        table.add_row(
            way.mode,
            way.resolution,
            str(way.candidates),
            f"{seconds:.2f}",
            f"{seconds / base:.2f}",
            f"{statistics.median(way.gflop):.0f}",
            f"{np.median(way.coverage):.2f}",
        )
    Console(width=100).print(table)


def main(
    count: Annotated[int, typer.Option(min=1, help="Pairs a way")] = 6,
    model: Annotated[Path | None, typer.Option(help="Model folder; default the embedded")] = None,
) -> None:
    """Print what windows and candidates cost."""
    torch.set_num_threads(1)
    pipeline = AdaBLDMPipeline.from_pretrained(model or embedded_path())
    pipeline.set_progress_bar_config(disable=True)
    tune(pipeline)
    resolutions: tuple[Resolution, ...] = ("model", "native")
    ways = [
        Way(mode=mode, resolution=resolution, candidates=candidates)
        for mode in MODES
        for resolution in resolutions
        for candidates in (1, CANDIDATES)
        if candidates == 1 or mode == "fast"
    ]
    measure(pipeline, ways, count)
    show(ways)


if __name__ == "__main__":
    typer.run(main)
