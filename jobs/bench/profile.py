"""Where the time of an image goes, before and after: ``python -m jobs.bench.profile``.

``exact``, ``fast`` on the model as it is loaded, and ``fast`` on the model made quick for its
device (:func:`adabldm.core.devices.tune`), through torch's profiler: seconds of an image by kind of
operator, on a GPU those of its kernels. ``--trace`` writes what ``chrome://tracing`` and Perfetto
show.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch.profiler import ProfilerActivity, profile

from adabldm.core.devices import tune
from adabldm.networks.embedded import embedded_path
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import ExactOptions, FastOptions, ModeOptions
from jobs.bench.method import requests

KINDS = {
    "convolution": ("conv", "im2col", "col2im"),
    "matrix product": ("mm", "matmul", "linear", "gemm"),
    "attention": ("attention", "softmax"),
    "normalisation": ("norm", "batch"),
    "activation": ("silu", "gelu"),
    "optimiser": ("foreach", "adam", "addcdiv", "addcmul", "lerp"),
    "copies": ("copy", "cat", "clone", "contiguous", "empty", "fill", "zero"),
}
"""An operator is of the first kind of which a part is in its name; of none, it is :data:`REST`."""
REST = "everything else"
SHOWN = 10
"""Operators that are listed one by one."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """``wall`` seconds of an image without the profiler; by operator's name, its own ``seconds`` in
    an image with it, and its ``calls``."""

    name: str
    wall: float
    seconds: dict[str, float]
    calls: dict[str, int]

    def by_kind(self) -> dict[str, float]:
        """Seconds of each of :data:`KINDS` and of the rest."""
        sums = dict.fromkeys((*KINDS, REST), 0.0)
        for name, value in self.seconds.items():
            sums[kind(name)] += value
        return sums


def kind(operator: str) -> str:
    """The kind of an operator by its name, such as ``aten::silu``."""
    name = operator.removeprefix("aten::").lower()
    return next((one for one, parts in KINDS.items() if any(p in name for p in parts)), REST)


def profiled(
    name: str,
    pipeline: AdaBLDMPipeline,
    request: dict[str, Any],
    options: ModeOptions,
    trace: Path | None = None,
) -> Profile:
    """One image, after one that warms up and one that is timed."""
    gpu = pipeline.device.type == "cuda"

    def make() -> None:
        pipeline(**request, options=options)
        if gpu:
            torch.cuda.synchronize()

    make()
    wall = _timed(make)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profile(activities=activities) as found:
        make()
    if trace is not None:
        trace.mkdir(parents=True, exist_ok=True)
        found.export_chrome_trace(str(trace / f"{name.replace(', ', '_')}.json"))
    averages = found.key_averages()
    own = "self_device_time_total" if gpu else "self_cpu_time_total"
    return Profile(
        name=name,
        wall=wall,
        seconds={one.key: getattr(one, own) / 1e6 for one in averages},
        calls={one.key: one.count for one in averages},
    )


def _timed(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def show(profiles: Sequence[Profile]) -> None:
    """Print the kinds side by side, then each profile's largest operators."""
    print(f"{'seconds an image':24}" + "".join(f"{one.name:>20}" for one in profiles))
    print(f"{'without the profiler':24}" + "".join(f"{one.wall:20.2f}" for one in profiles))
    kinds = [one.by_kind() for one in profiles]
    for name in kinds[0]:
        print(f"  {name:22}" + "".join(f"{one[name]:20.3f}" for one in kinds))
    for one in profiles:
        print(f"\n{one.name}: the largest operators, seconds and calls")
        largest = sorted(one.seconds, key=lambda name: -one.seconds[name])
        for name in largest[:SHOWN]:
            print(f"  {name:50.50}{one.seconds[name]:9.3f}{one.calls[name]:8}")


def main(
    data: Annotated[
        str | None, typer.Option(help="One object's data set, any layout; else drawn surfaces")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder; default the embedded")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    trace: Annotated[Path | None, typer.Option(help="Folder for one trace a profile")] = None,
) -> None:
    """Print where the time goes."""
    torch.set_num_threads(1)
    pipeline = AdaBLDMPipeline.from_pretrained(model or embedded_path()).to(device)
    pipeline.set_progress_bar_config(disable=True)
    request = next(requests(data, 1, pipeline.image_size))
    ways: list[tuple[str, ModeOptions]] = [
        ("exact, as loaded", ExactOptions(resolution="model")),
        ("fast, as loaded", FastOptions(resolution="model")),
    ]
    profiles = [profiled(name, pipeline, request, how, trace) for name, how in ways]
    tune(pipeline)
    profiles.append(
        profiled("fast, tuned", pipeline, request, FastOptions(resolution="model"), trace)
    )
    show(profiles)
    if trace is not None:
        print(f"traces: {trace}")


if __name__ == "__main__":
    typer.run(main)
