"""Joining the Ray cluster around us, or starting one for this job alone."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread

from adabldm.core.faults import InputFault, JobFault

TOKEN_FILE = Path("~/.ray/auth_token")
LOOPBACK = "127.0.0.1"
OTHERS = ("kfd", "dxg")
"""Devices in /dev of GPUs beside NVIDIA's: of AMD, and under Windows."""


@contextmanager
def ray_session(workers: int, gpus_per_worker: float) -> Iterator[None]:
    """A connection to the cluster at ``RAY_ADDRESS``, or else to a Ray of this machine's own with
    room for ``workers``, closed at the end. A connection that is there already is used and kept.

    Raises :class:`InputFault` if workers need GPUs and this machine has none, or if a cluster is to
    be joined without a token and nobody said so; :class:`JobFault` if there is no connection.
    """
    joins = bool(os.environ.get("RAY_ADDRESS"))
    _guard_doors(joins)
    import ray

    if ray.is_initialized():
        yield
        return
    if gpus_per_worker and not joins and not _gpus_here():
        tell_of_no_gpu(gpus_per_worker, joins=False)
    try:
        with _silence(), _own_sigterm():
            _connect(joins, workers)
    except Exception as error:
        ray.shutdown()
        lines = str(error).splitlines() or [type(error).__name__]
        raise JobFault(f"Ray: no connection: {lines[0]}") from error
    # Deaths of workers are this program's to report.
    ray._private.worker._worker_logs_enabled = False
    try:
        if gpus_per_worker and ray.cluster_resources().get("GPU", 0) == 0:
            tell_of_no_gpu(gpus_per_worker, joins=joins)
        yield
    finally:
        ray.shutdown()


def default_gpus() -> float:
    """GPUs of a worker if nobody says: one, but none on a machine alone that has none."""
    devices = Path("/dev")
    found = any(devices.glob("nvidia[0-9]*")) or any((devices / name).exists() for name in OTHERS)
    return 1 if os.environ.get("RAY_ADDRESS") or found else 0


def tell_of_no_gpu(gpus_per_worker: float, *, joins: bool) -> None:
    """Raise :class:`InputFault` on this machine alone; of a cluster, whose nodes may come, say that
    the job waits for one."""
    if not joins:
        rule = "this machine has no GPU; 0 runs on the CPU"
        raise InputFault.of("--gpus-per-worker", gpus_per_worker, rule)
    print(
        "waiting for a node with a GPU: the cluster has none "
        f"(--gpus-per-worker is {gpus_per_worker:g}; 0 runs on the CPU)",
        file=sys.stderr,
    )


def _gpus_here() -> int:
    """GPUs that a Ray of this machine's own would have: counted by Ray, before it is started."""
    from ray._private.accelerators import get_accelerator_manager_for_resource

    manager = get_accelerator_manager_for_resource("GPU")
    there = manager.get_current_node_num_accelerators()
    visible = manager.get_current_process_visible_accelerator_ids()
    return there if visible is None else min(there, len(visible))


def _connect(joins: bool, workers: int) -> None:
    import ray

    if joins:
        ray.init(log_to_driver=False, logging_level="ERROR")
    else:
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            _node_ip_address=LOOPBACK,
            log_to_driver=False,
            logging_level="ERROR",
        )


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what Ray's C++ side says while it starts off the terminal; errors still raise."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray would end the program on SIGTERM, wherever it is; this program ends in good order."""
    before = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, before)


def _guard_doors(joins: bool) -> None:
    """Every connection needs a token, and a Ray of our own is seen by this machine only; its
    workers matter as much as other programs.

    Ray reads these when it is first imported.
    """
    if not joins:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Named after the systems where it is the default: keeps every port on the loopback.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    elif "RAY_AUTH_MODE" not in os.environ:
        has_token = (
            "RAY_AUTH_TOKEN" in os.environ
            or "RAY_AUTH_TOKEN_PATH" in os.environ
            or TOKEN_FILE.expanduser().exists()
        )
        if not has_token:
            rule = "there is no token for it (RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or "
            rule += f"{TOKEN_FILE}); RAY_AUTH_MODE=disabled joins a Ray that asks for none"
            raise InputFault.of("RAY_ADDRESS", os.environ["RAY_ADDRESS"], rule)
        os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    # A thread that outlives the session would make Ray connect again, or start another one.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    # Ray would let workers give way to every other program of the machine.
    os.environ.setdefault("RAY_worker_niceness", "0")
