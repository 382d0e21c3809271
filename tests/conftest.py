"""What tests share: one local Ray, one S3 server, the command line, pictures."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

# One thread, as on a worker: the number of threads decides last bits.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

# A machine's load is no fault of the code's.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Ray reads these when it is first imported.
os.environ.update(
    RAY_AUTH_MODE="token",
    RAY_AUTH_TOKEN=secrets.token_hex(32),
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
    RAY_BACKEND_LOG_LEVEL="fatal",
    RAY_worker_niceness="0",
)

ROOT = Path(__file__).parents[1]
CPUS = 4
GPUS = 2
"""Ray's counts, not the machine's: tests run two drivers at once, and workers that ask for GPUs."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that use the shared Ray, or start programs, are marked ``ray``."""
    if {"ray_address", "start"} & set(getattr(item, "fixturenames", ())):
        item.add_marker("ray")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that tests keep is found by anyone else, nor the other way round."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and recordings beside the project."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("there is no ../shared")
    return folder


@pytest.fixture(scope="session")
def s3_server() -> Iterator[None]:
    """An S3 server on the loopback, to which this process and those it starts are pointed."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://{host}:{port}",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="us-east-1",
    )
    yield
    server.stop()


@pytest.fixture
def s3(s3_server: None) -> str:
    """The URI of an empty bucket."""
    import fsspec

    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    fsspec.filesystem("s3", use_listings_cache=False).mkdir(bucket)
    return f"s3://{bucket}"


shared_ray: list[str] = []
"""The address of :func:`ray_address`, while it is there."""


@pytest.fixture(scope="session")
def ray_address(s3_server: None) -> Iterator[str]:
    """A Ray of this machine's own, for all tests, that knows the S3 server; its address."""
    import ray

    ray.init(
        address="local",
        num_cpus=CPUS,
        num_gpus=GPUS,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
        logging_level="ERROR",
    )
    shared_ray.append(ray.get_runtime_context().gcs_address)
    yield shared_ray[0]
    shared_ray.clear()
    ray.shutdown()


@pytest.fixture(autouse=True)
def ray_is_left_alone() -> Iterator[None]:
    """No test ends the Ray that the others share: they would wait for it, not the culprit."""
    yield
    if shared_ray:
        import ray

        if not ray.is_initialized():
            shared_ray.clear()
            pytest.fail("this test has ended the Ray that all tests share")


Command = Callable[..., subprocess.Popen]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Command]:
    """Start ``adabldm ...`` as a program; ended at the test's end if it still runs."""
    running: list[subprocess.Popen] = []

    def start_one(*words: str, **environment: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", *words],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start_one
    for process in running:
        if process.poll() is None:
            process.kill()
            out, err = process.communicate()
            print(f"killed at the test's end: {process.args!r}\n{out}\n{err}\n{state_of_ray()}")
        process.communicate()


def state_of_ray() -> str:
    """What the shared Ray has free, and whether its node lives: why a program waits for it."""
    import ray

    if not ray.is_initialized():
        return "no Ray"
    with suppress(Exception):
        return f"free: {ray.available_resources()}\nnodes: {ray.nodes()}"
    return "a Ray that does not answer"
