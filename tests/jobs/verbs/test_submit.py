"""Jobs on a cluster: Ray's own command and ours, a job once, its exit code, and only by token."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from adabldm.core import images
from adabldm.core.faults import JobFault
from adabldm.data import drawn_metal
from cluster.launch.jobs_api import Cluster, base_id
from jobs.verbs.plan import make_plan

BIN = Path(sys.executable).parent
TOKEN = "3b7e1f5a" * 8
START_SECONDS = 240
pytestmark = pytest.mark.ray


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@dataclass(frozen=True)
class Head:
    """A cluster of one node on the loopback interface; ``env`` is what its clients need."""

    url: str
    env: dict[str, str]

    def run(self, *command: str, **changed: str) -> subprocess.CompletedProcess[str]:
        env = {**self.env, **changed}
        return subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            env=env, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip


def answers(url: str) -> bool:
    try:
        headers = {"authorization": f"Bearer {TOKEN}"}
        return requests.get(f"{url}/api/version", headers=headers, timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    folder = tempfile.mkdtemp(prefix="adb-", dir="/tmp")
    gcs, dashboard, client = free_ports(3)
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    env = {
        **kept,
        "PATH": f"{BIN}:/usr/bin:/bin",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    process = subprocess.Popen(
        [
            str(BIN / "ray"), "start", "--head", "--block",
            "--node-ip-address=127.0.0.1", f"--port={gcs}", f"--temp-dir={folder}",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}",
            f"--ray-client-server-port={client}", "--dashboard-agent-listen-port=0",
            "--num-cpus=2", "--num-gpus=0", "--object-store-memory=200000000",
        ],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{dashboard}"
    deadline = time.monotonic() + START_SECONDS
    while not answers(url):
        assert process.poll() is None, "the head ended"
        assert time.monotonic() < deadline, "the head does not answer"
        time.sleep(0.5)
    yield Head(url, env)
    # Ray takes half a minute to end by itself.
    ours = psutil.Process(process.pid).children(recursive=True)
    for one in [process, *ours]:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait(60)
    psutil.wait_procs(ours, timeout=30)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of 6 requests on drawn metal."""
    root = tmp_path_factory.mktemp("submitted")
    for seed in range(2):
        part = drawn_metal.draw_part(seed, 64, "crack")
        for folder, pixels in {
            "train/good": drawn_metal.draw_part(seed, 64).image,
            "test/crack": part.image,
            "ground_truth/crack": part.mask,
        }.items():
            (root / "metal" / folder).mkdir(parents=True, exist_ok=True)
            tail = "_mask" if folder == "ground_truth/crack" else ""
            (root / "metal" / folder / f"{seed}{tail}.png").write_bytes(images.encode_png(pixels))
    make_plan(str(root / "metal"), count=6, seed=1, output=str(root / "plan"))
    return root / "plan" / "manifest.parquet"


def generate(manifest: Path, output: Path) -> list[str]:
    return [
        "generate", "--manifest", str(manifest), "--output", str(output),
        "--model", "sleep://10", "--workers", "1:1", "--gpus-per-worker", "0",
    ]  # fmt: skip


def test_a_run_submitted_with_rays_own_command_ends_well(
    head: Head, manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pairs"
    job = head.run(
        "ray", "job", "submit", "--address", head.url, "--", "adabldm", *generate(manifest, out)
    )
    assert job.returncode == 0, job.stdout + job.stderr
    verified = head.run("adabldm", "verify", str(out))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert len(list(out.glob("metal/test/crack/*.png"))) == 6


def test_the_same_command_runs_once_and_its_exit_code_comes_back(
    head: Head, manifest: Path, tmp_path: Path
) -> None:
    words = ["plan", str(manifest.parents[1] / "metal"), "--count", "3", "--output"]
    command = ["adabldm", "submit", "--address", head.url, "--wait", "--", *words]
    first = head.run(*command, str(tmp_path / "a"))
    assert first.returncode == 0, first.stderr
    assert "planned 3 requests" in first.stdout
    shutil.rmtree(tmp_path / "a")
    again = head.run(*command, str(tmp_path / "a"))
    assert again.returncode == 0
    assert f"{base_id([*words, str(tmp_path / 'a')])}-1: succeeded already" in again.stdout
    assert not (tmp_path / "a").exists()
    bad = [*command[:6], "plan", str(tmp_path / "none"), "--count", "3", "--output", "x"]
    for attempt in (1, 2):
        failed = head.run(*bad)
        assert failed.returncode == 2, failed.stderr
        assert f"-{attempt}: submitted" in failed.stdout
        assert "there is no such folder" in failed.stdout
    assert "the one before has failed" in failed.stdout


def test_a_job_file_is_the_same_job_can_be_read_and_stopped(
    head: Head, manifest: Path, tmp_path: Path
) -> None:
    slow = ["sleep://60000" if word == "sleep://10" else word for word in
            generate(manifest, tmp_path / "slow")]  # fmt: skip
    (tmp_path / "job.yaml").write_text(
        "run: generate\n"
        "with:\n"
        f"  manifest: {manifest}\n"
        "  output: slow\n"
        "  model: sleep://60000\n"
        "  workers: '1:1'\n"
        "  gpus-per-worker: 0\n"
        f"address: {head.url}\n"
    )
    submit = ["adabldm", "submit", "--spec", str(tmp_path / "job.yaml")]
    unknown = head.run(*submit, "--stop")
    assert unknown.returncode == 2
    assert "was not submitted to this cluster" in unknown.stderr
    first = head.run(*submit)
    assert first.returncode == 0, first.stderr
    job = first.stdout.partition(":")[0]
    again = head.run(*submit)
    assert again.stdout.splitlines()[0] in (f"{job}: pending already", f"{job}: running already")
    logs = head.run(*submit, "--logs")
    assert logs.returncode == 0, logs.stderr
    stopped = head.run(*submit, "--stop")
    assert stopped.stdout.splitlines()[-1] == f"{job}: stopped"
    assert head.run("adabldm", "submit", "--address", head.url, "--", *slow).returncode == 0
    assert head.run(*submit, "--stop").returncode == 0


def test_nobody_submits_without_the_token(head: Head, tmp_path: Path) -> None:
    words = ["plan", str(tmp_path), "--count", "1", "--output", str(tmp_path / "p")]
    refused = head.run(
        "adabldm", "submit", "--address", head.url, "--wait", "--", *words, RAY_AUTH_TOKEN="0" * 64
    )
    assert refused.returncode == 1, refused.stdout
    assert "wants its token" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "submitted" not in refused.stdout


def test_an_address_without_a_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "")
    (port,) = free_ports(1)
    with pytest.raises(JobFault, match=f"127.0.0.1:{port}.*no Ray dashboard answers"):
        Cluster(f"http://127.0.0.1:{port}")


def test_other_words_have_another_id() -> None:
    assert base_id(["plan", "a b"]) == base_id(["plan", "a b"])
    assert base_id(["plan", "a b"]) != base_id(["plan", "a", "b"])
