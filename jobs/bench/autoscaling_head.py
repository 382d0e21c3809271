"""A head whose autoscaler starts GPU nodes on this machine, by Ray's fake provider."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jobs.chaos.own_ray import (
    LOOPBACK,
    OBJECT_STORE,
    START_SECONDS,
    end_processes_of,
    free_port,
    let_nodes_take_their_time,
    prepare_environment,
)

PROVIDER = "jobs.bench.patient_provider.PatientProvider"
NO_FILES = ("file_mounts", "docker")
NO_COMMANDS = (
    "cluster_synced_files", "initialization_commands", "setup_commands", "head_setup_commands",
    "worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands",
    "rsync_exclude", "rsync_filter",
)  # fmt: skip
"""What Ray's autoscaler wants to be told also where there is none of it."""
LOOK_SECONDS = 1.0


@contextmanager
def autoscaling_head(folder: Path, nodes: int, idle: float) -> Iterator[str]:
    """Its address; ``nodes`` at most come, and go after ``idle`` seconds without work. What is
    started here meanwhile may join it. ``folder`` is to have a short path.

    Raises ``RuntimeError`` if it does not start.
    """
    import yaml

    prepare_environment()
    os.environ.update(
        RAY_FAKE_CLUSTER="1",
        AUTOSCALER_UPDATE_INTERVAL_S="1",
        PYTHONPATH=str(Path(__file__).parents[2]),
    )
    port = free_port()
    address = f"{LOOPBACK}:{port}"
    config = folder / "autoscaling.yaml"
    config.write_text(yaml.safe_dump(_config(address, nodes, idle)))
    words = ["start", "--head", "--block", "--num-cpus=1", "--num-gpus=0", f"--port={port}",
             f"--node-ip-address={LOOPBACK}", f"--autoscaling-config={config}",
             f"--temp-dir={folder / 'ray'}", "--include-dashboard=false",
             "--dashboard-agent-listen-port=0",
             f"--object-store-memory={OBJECT_STORE}"]  # fmt: skip
    told = folder / "head.txt"
    with told.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.bench.autoscaling_head", *words],
            stdout=log,
            stderr=log,
        )
    try:
        _await(process, told)
        yield address
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        # Fake nodes are no children of the head's program.
        end_processes_of(folder)


def _config(address: str, nodes: int, idle: float) -> dict[str, Any]:
    head = {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0}
    worker = {
        "resources": {"CPU": 1, "GPU": 1, "object_store_memory": OBJECT_STORE},
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


def _await(process: subprocess.Popen[bytes], told: Path) -> None:
    """Wait until the head says that it is there."""
    deadline = time.monotonic() + START_SECONDS
    while "Ray runtime started" not in told.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the head did not start: {told.read_text()[-2000:]}")
        time.sleep(LOOK_SECONDS)


def _start() -> None:
    """``ray``, in which a head may take its time to start."""
    let_nodes_take_their_time()
    from ray.scripts.scripts import main

    main()


if __name__ == "__main__":
    _start()
