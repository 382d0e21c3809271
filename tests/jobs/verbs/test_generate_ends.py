"""How ``adabldm generate`` is told to end, and how what has failed is made again."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
import typer

from adabldm.core.faults import JobFault
from jobs.verbs import generate
from tests.conftest import Command
from tests.jobs.verbs.test_generate import finish, verified, wait_for_rows, words
from tests.support.making import Row, index_of, write_manifest

GRACE = 25
"""Seconds, with what the machine's load adds to 20."""


def watchers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name in ("head", "own node")}


def test_sigterm_commits_what_is_there_and_says_that_the_same_command_continues(
    start: Command, ray_address: str, tmp_path: Path
) -> None:
    manifest, output = write_manifest(tmp_path / "in", 60), tmp_path / "out"
    command = words(manifest, output, "sleep://500", "--workers", "2", "--batch-size", "2")
    process = start(*command, RAY_ADDRESS=ray_address)
    wait_for_rows(output, 1)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process)
    assert time.monotonic() - told < GRACE
    assert code == 1, err
    assert err.splitlines()[-1] == "terminated. The same command continues."
    there = len(index_of(output))
    assert 0 < there < 60
    code, out, err = finish(start(*command, RAY_ADDRESS=ray_address))
    assert code == 0, err
    assert f"made {60 - there} pairs, {there} were there" in out
    verified(start, output)


def test_a_machine_whose_own_ray_dies_does_not_wait_for_ever(
    start: Command, tmp_path: Path
) -> None:
    manifest, output = write_manifest(tmp_path / "in", 200), tmp_path / "out"
    command = words(manifest, output, "sleep://500", "--workers", "1", "--batch-size", "2")
    process = start(*command, RAY_ADDRESS="")
    wait_for_rows(output, 1)
    (raylet,) = (p for p in psutil.Process(process.pid).children() if p.name() == "raylet")
    raylet.kill()
    code, _, err = finish(process)
    assert code == 1, err
    line = (
        "stopped: Ray: the node that this program works from has died. The same command continues."
    )
    assert err.splitlines()[-1] == line


def test_what_has_failed_is_made_again_where_that_is_asked_for(
    ray_address: str, tmp_path: Path
) -> None:
    def change(rows: list[Row]) -> None:
        rows[1]["prompt"] = "a bad one"

    before = watchers()
    asked = {
        "manifest": str(write_manifest(tmp_path / "in", 4, change)),
        "output": str(tmp_path / "out"),
        "gpus_per_worker": 0,
    }
    with pytest.raises(typer.Exit) as ended:
        generate.main(model="sleep://0?raise=bad", **asked)
    assert ended.value.exit_code == 3
    with pytest.raises(typer.Exit):
        generate.main(model="sleep://0", **asked)
    assert [row["status"] for row in index_of(tmp_path / "out")].count("failed") == 1
    generate.main(model="sleep://0", retry_failed=True, **asked)
    rows = index_of(tmp_path / "out")
    assert [row["status"] for row in rows] == ["ok"] * 4
    assert [row["reason"] for row in rows] == [None] * 4
    deadline = time.monotonic() + 10
    while watching := watchers() - before:
        assert time.monotonic() < deadline, f"after the job there are still {watching}"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError("Kernel error: 403 Forbidden"), "Kernel error: 403 Forbidden"),
        (PermissionError(13, "Forbidden", "bucket/key"), "bucket/key: Forbidden"),
        (JobFault("the store is away"), "the store is away"),
    ],
)
def test_whatever_the_world_does_the_last_line_says_that_the_same_command_continues(
    error: Exception,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def stopped(*_: object) -> None:
        raise error

    monkeypatch.setattr("cluster.generate.job.generate", stopped)
    with pytest.raises(typer.Exit) as ended:
        generate.main(manifest="m", model="sleep://0", output=str(tmp_path), gpus_per_worker=0)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == f"stopped: {line}. The same command continues.\n"
