"""Nodes and workers that follow the work: ``python -m jobs.bench.autoscaling``.

A head without GPUs and Ray's autoscaler, whose machines are processes of this one (its fake
provider): ``generate`` asks for GPU workers, nodes come, the pool grows, and both go when the work
is done. Written are the timeline as CSV and as a plot.
"""

from __future__ import annotations

import csv
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
LOOPBACK = "127.0.0.1"
NO_FILES = ("file_mounts", "docker")
NO_COMMANDS = (
    "cluster_synced_files", "initialization_commands", "setup_commands", "head_setup_commands",
    "worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands",
    "rsync_exclude", "rsync_filter",
)  # fmt: skip
"""What Ray's autoscaler wants to be told also where there is none of it."""
MOST_SECONDS = 900.0
SAMPLE_SECONDS = 1.0


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
    folder = Path(tempfile.mkdtemp(prefix="scale-", dir="/tmp"))
    try:
        with _head(folder, nodes, idle) as address:
            samples = _timeline(address, folder, requests, nodes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with output.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([one.name for one in fields(Sample)])
        writer.writerows([f"{sample.seconds:.1f}", *astuple(sample)[1:]] for sample in samples)
    draw(samples, output)
    print(summary(samples))


@contextmanager
def _head(folder: Path, nodes: int, idle: float) -> Iterator[str]:
    """A head whose autoscaler starts GPU nodes on this machine; its address."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    address = f"{LOOPBACK}:{port}"
    os.environ.update(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
        RAY_FAKE_CLUSTER="1",
        AUTOSCALER_UPDATE_INTERVAL_S="1",
        RAY_BACKEND_LOG_LEVEL="fatal",
        PYTHONPATH=str(Path(__file__).parents[2]),
    )
    config = folder / "autoscaling.yaml"
    import yaml

    config.write_text(yaml.safe_dump(_config(address, nodes, idle)))
    words = ["--head", "--block", "--num-cpus=1", "--num-gpus=0", f"--port={port}",
             f"--node-ip-address={LOOPBACK}", f"--autoscaling-config={config}",
             f"--temp-dir={folder / 'ray'}", "--include-dashboard=false",
             "--dashboard-agent-listen-port=0", "--object-store-memory=100000000"]  # fmt: skip
    ray = Path(sys.executable).with_name("ray")
    log = (folder / "head.txt").open("wb")
    process = subprocess.Popen([str(ray), "start", *words], stdout=log, stderr=log)
    try:
        _await(port, folder)
        yield address
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        _end_what_is_left(str(folder))


def _config(address: str, nodes: int, idle: float) -> dict[str, Any]:
    head = {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0}
    worker = {
        "resources": {"CPU": 1, "GPU": 1, "object_store_memory": 100_000_000},
        "node_config": {},
        "min_workers": 0,
        "max_workers": nodes,
    }
    return {
        "cluster_name": "fake",
        "max_workers": nodes,
        "idle_timeout_minutes": idle / 60,
        "upscaling_speed": 10.0,
        "provider": {
            "type": "external",
            "module": PROVIDER,
            "gcs_address": address,
            "launch_multiple": True,
            "use_node_id_as_ip": True,
            # There is no machine to log in to, nor one to be mended.
            "disable_node_updaters": True,
            "worker_liveness_check": False,
        },
        "auth": {},
        **{name: {} for name in NO_FILES},
        **{name: [] for name in NO_COMMANDS},
        "available_node_types": {"ray.head.default": head, "worker": worker},
        "head_node_type": "ray.head.default",
    }


def _await(port: int, folder: Path) -> None:
    for _ in range(240):
        with socket.socket() as attempt:
            if attempt.connect_ex((LOOPBACK, port)) == 0:
                time.sleep(5)
                return
        time.sleep(0.5)
    raise RuntimeError((folder / "head.txt").read_text()[-2000:])


def _end_what_is_left(folder: str) -> None:
    """Fake nodes are no children of the head's program; they are known by their folder."""
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and folder in " ".join(process.info["cmdline"] or []):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _timeline(address: str, folder: Path, requests: int, nodes: int) -> list[Sample]:
    """From the start of ``generate`` until the last node has gone."""
    import ray

    from jobs.chaos.inputs import write_manifest

    manifest, output = write_manifest(folder / "in", requests, 0, ()), folder / "out"
    os.environ["RAY_ADDRESS"] = address
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
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
            if driver.poll() is not None and not samples[-1].nodes:
                break
            time.sleep(SAMPLE_SECONDS)
    finally:
        if driver.poll() is None:
            driver.kill()
        ray.shutdown()
    print((folder / "said.txt").read_text().strip().splitlines()[-1])
    return samples


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
    return (
        f"0 -> {most} -> {samples[-1].nodes} nodes: {most} there after {came:.0f} s, first row "
        f"committed after {first:.0f} s, all {done} after {last:.0f} s, the last node gone after "
        f"{samples[-1].seconds:.0f} s; at most {max(one.workers for one in samples)} workers"
    )


def draw(samples: Sequence[Sample], path: Path) -> None:
    """The timeline as a plot."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    seconds = [sample.seconds for sample in samples]
    figure, axes = pyplot.subplots(figsize=(8, 3.2), layout="constrained")
    axes.step(seconds, [one.nodes for one in samples], where="post", label="nodes with a GPU")
    axes.step(
        seconds, [one.workers for one in samples], where="post", label="workers", linestyle="--"
    )
    axes.set_xlabel("seconds since generate was started")
    axes.set_yticks(range(max(one.nodes for one in samples) + 2))
    rows = axes.twinx()
    rows.plot(seconds, [one.committed for one in samples], color="0.6", label="rows committed")
    rows.set_ylabel("rows committed")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    typer.run(main)
