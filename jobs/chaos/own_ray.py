"""What all Rays have in common that a measurement starts on this machine for itself."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

LOOPBACK = "127.0.0.1"
PLACE = Path("/tmp")  # noqa: S108
"""Sockets' paths must be short."""
OBJECT_STORE = 80 * 1024 * 1024
START_SECONDS = 600
"""That a part of Ray may take to start on a busy machine; Ray's own limits are 30 to 60."""
PATIENCE: Mapping[str, str] = {
    "RAY_gcs_server_port_wait_time_s": str(START_SECONDS),
    "RAY_worker_register_timeout_seconds": str(START_SECONDS),
    "RAY_agent_register_timeout_ms": str(START_SECONDS * 1000),
    "RAY_gcs_rpc_server_connect_timeout_s": "60",
    "RAY_gcs_server_request_timeout_seconds": "120",
}


def prepare_environment() -> None:
    """A token of its own, quiet, and patient; what is started from here on inherits it. To be
    called before Ray is imported."""
    os.environ.update(
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
        RAY_BACKEND_LOG_LEVEL="fatal",
        RAY_worker_niceness="0",
        **PATIENCE,
    )


def let_nodes_take_their_time() -> None:
    """Ray gives a node that this process starts 30 s to be known, by a number in its code; from now
    on it is looked for as long as :data:`START_SECONDS`, unless its programs end: then it is a
    ``ChildProcessError``."""
    from ray._private import services

    look = services.get_node

    def insistent(*args: Any, **options: Any) -> Any:
        deadline, dead = time.monotonic() + START_SECONDS, _ended_children()
        while True:
            try:
                return look(*args, **options)
            except RuntimeError:
                if _ended_children() > dead:
                    raise ChildProcessError("a node has ended while it started") from None
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    services.get_node = insistent


def _ended_children() -> set[int]:
    """Nodes that this process has started and that have ended."""
    ended = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.status() == psutil.STATUS_ZOMBIE and child.name() == "raylet":
                ended.add(child.pid)
    return ended


def free_port() -> int:
    """A port of the loopback that nobody listens at."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        return int(free.getsockname()[1])


def end_processes_of(folder: Path) -> None:
    """Kill what was started with ``folder`` in its command and is still there."""
    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and str(folder) in " ".join(process.info["cmdline"] or []):
            with suppress(psutil.NoSuchProcess):
                process.kill()
