"""Nodes and workers that follow the work: ``python -m jobs.bench.autoscaling``.

A head without GPUs and Ray's autoscaler, whose machines are processes of this one (its fake
provider): ``generate`` asks for GPU workers, nodes come, the pool grows, and both go when the work
is done. Written are the timeline as CSV and as a plot.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.bench.autoscaling_head import autoscaling_head
from jobs.chaos.own_ray import PLACE, START_SECONDS

MOST_SECONDS = 3600.0
SAMPLE_SECONDS = 1.0
CALM_SECONDS = 10.0
"""Without nodes, at the end."""


@dataclass(frozen=True)
class Sample:
    """What there is ``seconds`` after the start: nodes with a GPU, workers, committed rows."""

    seconds: float
    nodes: int
    workers: int
    committed: int


def main(
    requests: Annotated[int, typer.Option(min=1, help="Requests to make.")] = 160,
    nodes: Annotated[int, typer.Option(min=1, help="The most nodes.")] = 2,
    idle: Annotated[
        float,
        typer.Option(help="Seconds until an idle node goes; more than a worker needs to start."),
    ] = 60,
    output: Annotated[Path, typer.Option(help="The plot; its CSV lies beside it.")] = Path(
        "autoscaling.png"
    ),
) -> None:
    """Show 0 nodes, as many as the work needs, and 0 again."""
    folder = Path(tempfile.mkdtemp(prefix="scale-", dir=PLACE))
    try:
        with autoscaling_head(folder, nodes, idle) as address:
            samples = _timeline(address, folder, requests, nodes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with output.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([one.name for one in fields(Sample)])
        writer.writerows([f"{sample.seconds:.1f}", *astuple(sample)[1:]] for sample in samples)
    draw(samples, output)
    print(summary(samples))


def _timeline(address: str, folder: Path, requests: int, nodes: int) -> list[Sample]:
    """From the start of ``generate`` until the last node has gone."""
    import ray

    from jobs.chaos.inputs import write_manifest

    manifest, output = write_manifest(folder / "in", requests, 0, ()), folder / "out"
    os.environ["RAY_ADDRESS"] = address
    _join(address)
    words = ["generate", "--manifest", str(manifest), "--output", str(output), "--model",
             "sleep://700", "--no-judge", "--workers", f"1:{nodes}", "--gpus-per-worker", "1",
             "--batch-size", "2"]  # fmt: skip
    began = time.monotonic()
    said = (folder / "said.txt").open("wb")
    driver = subprocess.Popen(
        [sys.executable, "-m", "jobs.cli", *words], stdout=said, stderr=subprocess.STDOUT
    )
    samples: list[Sample] = []
    try:
        while time.monotonic() - began < MOST_SECONDS:
            samples.append(_sample(ray, output, time.monotonic() - began))
            if driver.poll() is not None and not any(
                one.nodes for one in samples if one.seconds > samples[-1].seconds - CALM_SECONDS
            ):
                break
            time.sleep(SAMPLE_SECONDS)
    finally:
        if driver.poll() is None:
            driver.kill()
        ray.shutdown()
    print((folder / "said.txt").read_text().strip().splitlines()[-1])
    return samples


def _join(address: str) -> None:
    """Connect to the head, which may still be busy with its own start."""
    import ray

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, TimeoutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(SAMPLE_SECONDS)
        else:
            return


def _sample(ray: Any, output: Path, seconds: float) -> Sample:
    import ray._private.state as state

    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU")]
    actors = state.actors().values()
    workers = [
        one for one in actors if one["State"] == "ALIVE" and "Worker" in one["ActorClassName"]
    ]
    return Sample(seconds, len(alive), len(workers), _committed(output))


def _committed(output: Path) -> int:
    from cluster.output.index import Ledger
    from cluster.storage.location import Location

    with suppress(Exception):
        ledger = Ledger(Location.of(str(output)))
        return sum(batch.num_rows for batch in ledger.read(["request_id"]))
    return 0


def summary(samples: Sequence[Sample]) -> str:
    """In a line: when nodes came and went."""
    most = max(sample.nodes for sample in samples)
    came = next(sample.seconds for sample in samples if sample.nodes == most)
    first = next((sample.seconds for sample in samples if sample.committed), float("nan"))
    done = max(sample.committed for sample in samples)
    last = next(sample.seconds for sample in samples if sample.committed == done)
    ends = (one.seconds for one in samples if one.seconds > last and not one.nodes)
    gone = next(ends, float("nan"))
    return (
        f"0 -> {most} -> {samples[-1].nodes} nodes: {most} there after {came:.0f} s, first row "
        f"committed after {first:.0f} s, all {done} after {last:.0f} s, the last node gone after "
        f"{gone:.0f} s; at most {max(one.workers for one in samples)} workers"
    )


def draw(samples: Sequence[Sample], path: Path) -> None:
    """The timeline as a plot."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    seconds = [sample.seconds for sample in samples]
    nodes = [one.nodes for one in samples]
    figure, axes = pyplot.subplots(figsize=(8, 3.2), layout="constrained")
    axes.fill_between(seconds, nodes, step="post", color="0.85", label="nodes with a GPU")
    axes.step(seconds, [one.workers for one in samples], where="post", label="workers")
    axes.set_xlabel("seconds since generate was started")
    axes.set_yticks(range(max(nodes) + 2))
    rows = axes.twinx()
    committed = [one.committed for one in samples]
    rows.plot(seconds, committed, color="C1", linestyle="--", label="rows committed (right)")
    for one in (axes, rows):
        one.set_ylim(bottom=0)
        one.set_xlim(0, max(SAMPLE_SECONDS, seconds[-1]))
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    typer.run(main)
