"""``adabldm generate`` as a program, on a Ray that the tests share."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import Command
from tests.support.making import Row, hashes_of, index_of, write_manifest

START_SECONDS = 90
REQUESTS = 40


def words(manifest: Path, output: object, model: str, *more: str) -> list[str]:
    return [
        *("generate", "--manifest", str(manifest), "--output", str(output), "--model", model),
        *("--gpus-per-worker", "0", *more),
    ]


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def verified(start: Command, output: object) -> None:
    code, out, err = finish(start("verify", str(output)))
    assert code == 0, out + err


def wait_for_rows(output: Path, least: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if (output / "index").exists() and len(index_of(output)) >= least:
            return
        time.sleep(0.2)
    raise AssertionError(f"fewer than {least} rows in {START_SECONDS} s")


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, ray_address: str
) -> dict[str, tuple[str, str]]:
    """The files' sha256 of all requests, by one worker, one at a time, in this process."""
    from jobs.verbs import generate

    folder = tmp_path_factory.mktemp("undisturbed")
    generate.main(
        manifest=str(write_manifest(folder / "in", REQUESTS)),
        model="sleep://0",
        output=str(folder / "out"),
        gpus_per_worker=0,
        batch_size="1",
    )
    return hashes_of(folder / "out")


def test_it_needs_nothing_but_itself(start: Command, tmp_path: Path) -> None:
    """No cluster, an empty home: a Ray of its own, with every port on the loopback."""
    manifest = write_manifest(tmp_path / "in", 12)
    home = tmp_path / "home"
    home.mkdir()
    process = start(
        *words(manifest, tmp_path / "out", "sleep://5", "--workers", "1:2"), HOME=str(home)
    )
    code, out, err = finish(process)
    assert code == 0, err
    assert out.splitlines()[-1] == f"made 12 pairs, 0 were there, 0 of 12 failed: {tmp_path}/out"
    assert "Traceback" not in err
    assert not list(home.rglob("*token*"))
    verified(start, tmp_path / "out")
    rows = index_of(tmp_path / "out")
    assert [row["note"] for row in rows] == [f"note {i}" for i in range(12)]
    assert json.loads((tmp_path / "out/run.json").read_text())["model"] == "sleep://5"


def test_every_request_has_one_row_and_the_same_files_whatever_is_killed(
    start: Command, ray_address: str, undisturbed: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    """Workers, then the driver, end by SIGKILL at random moments; then the command runs again."""
    manifest, output = write_manifest(tmp_path / "in", REQUESTS), tmp_path / "out"
    command = words(manifest, output, "sleep://600", "--workers", "2", "--batch-size", "4")
    process = start(*command, RAY_ADDRESS=ray_address)
    wait_for_rows(output, 4)
    os.kill(secrets.choice(workers()), signal.SIGKILL)
    time.sleep(secrets.randbelow(3000) / 1000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = hashes_of(output)
    code, out, err = finish(start(*command, RAY_ADDRESS=ray_address))
    assert code == 0, err
    after = hashes_of(output)
    assert before.items() <= after.items()
    assert after == undisturbed
    assert f"{len(before)} were there" in out
    verified(start, output)
    assert not (output / ".partial").exists()


def workers() -> list[int]:
    """Process ids of this test session's pool workers."""
    mine = psutil.Process().children(recursive=True)
    return [process.pid for process in mine if "WorkerActor" in " ".join(process.cmdline())]


def test_of_two_drivers_one_wins_and_the_other_says_so(
    start: Command, ray_address: str, undisturbed: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    manifest, output = write_manifest(tmp_path / "in", REQUESTS), tmp_path / "out"
    command = words(manifest, output, "sleep://200", "--batch-size", "2")
    first = start(*command, RAY_ADDRESS=ray_address)
    wait_for_rows(output, 2)
    first.send_signal(signal.SIGSTOP)  # a driver that is slow, not dead
    try:
        code, _, err = finish(start(*command, RAY_ADDRESS=ray_address))
    finally:
        first.send_signal(signal.SIGCONT)
    assert code == 0, err
    code, _, err = finish(first)
    assert code == 1
    assert "another driver has taken this output over" in err
    assert hashes_of(output) == undisturbed
    verified(start, output)


def test_a_request_that_kills_its_worker_fails_alone(
    start: Command, ray_address: str, undisturbed: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    def change(rows: list[Row]) -> None:
        rows[7]["prompt"] = "a deadly one"
        rows[12]["prompt"] = "a bad one"

    manifest, output = write_manifest(tmp_path / "in", REQUESTS, change), tmp_path / "out"
    command = words(manifest, output, "sleep://5?crash=deadly&raise=bad", "--workers", "2")
    code, out, err = finish(start(*command, RAY_ADDRESS=ray_address))
    assert code == 3, err
    assert f"2 of {REQUESTS} failed" in out.splitlines()[-1]
    rows = {row["request_id"]: row for row in index_of(output)}
    assert rows.pop("r0007")["reason"] == "worker died"
    assert rows.pop("r0012")["reason"] == "RuntimeError: asked to raise by 'a bad one'"
    for name, row in rows.items():
        assert (row["image_sha256"], row["mask_sha256"]) == undisturbed[name]
    verified(start, output)
    code, out, _ = finish(start(*command, RAY_ADDRESS=ray_address))
    assert code == 3
    told = f"made 0 pairs, {REQUESTS} were there, 2 of {REQUESTS} failed"
    assert out.splitlines()[-1].startswith(told)


def test_pairs_go_to_s3_and_a_grown_manifest_is_continued(
    start: Command,
    ray_address: str,
    s3: str,
    undisturbed: dict[str, tuple[str, str]],
    tmp_path: Path,
) -> None:
    output = f"{s3}/pairs"
    more = ("--workers", "2", "--keep", "source,trimap")
    manifest = write_manifest(tmp_path / "in", 30)
    code, _, err = finish(
        start(*words(manifest, output, "sleep://0", *more), RAY_ADDRESS=ray_address)
    )
    assert code == 0, err
    manifest = write_manifest(tmp_path / "in", 40)
    code, out, err = finish(
        start(*words(manifest, output, "sleep://0", *more), RAY_ADDRESS=ray_address)
    )
    assert code == 0, err
    assert out.splitlines()[-1].startswith("made 10 pairs, 30 were there")
    verified(start, output)
    made = hashes_of(output)
    assert made.items() <= undisturbed.items()
    assert len(made) == 40


def test_a_mode_has_its_own_settings_and_its_output_is_bound_to_them(
    start: Command, ray_address: str, tmp_path: Path
) -> None:
    """The embedded model makes pairs in ``fast``; the same output is refused to ``exact``."""
    output = tmp_path / "out"
    manifest = write_manifest(tmp_path / "in", 2)
    unjudged = ("--no-judge", "--steps", "7")
    command = [*words(manifest, output, "embedded", "--mode", "fast", *unjudged)]
    code, _, err = finish(start(*command, RAY_ADDRESS=ray_address))
    assert code == 0, err
    verified(start, output)
    assert all(dict(row["quality"])["adaptation_loss"] > 0 for row in index_of(output))
    config = json.loads((output / "run.json").read_text())["config"]
    made_with = {name: config[name] for name in ("mode", "steps", "adaptation_steps", "solver")}
    assert made_with == {
        "mode": "fast",
        "steps": 7,
        "adaptation_steps": 0,
        "solver": "dpm-solver++",
    }
    exact = words(manifest, output, "embedded", *unjudged, "--adaptation-steps", "0")
    code, _, err = finish(start(*exact, RAY_ADDRESS=ray_address))
    assert code == 2
    assert f"mode: 'exact': {output} was made with 'fast'" in err


def test_a_resume_with_anything_else_is_refused_by_name(
    start: Command, ray_address: str, tmp_path: Path
) -> None:
    def other(rows: list[Row]) -> None:
        rows[4].update(seed=99, prompt="another")
        rows[5]["placement"]["angle"] = 31.0

    output = tmp_path / "out"
    manifest = write_manifest(tmp_path / "in", 6)
    command = words(manifest, output, "sleep://0")
    assert finish(start(*command, RAY_ADDRESS=ray_address))[0] == 0
    before = sorted(output.rglob("*"))
    refusals = {
        ("--steps", "20"): f"steps: 20: {output} was made with 50; use the same, or another output",
        ("--guidance", "5"): f"guidance: 5.0: {output} was made with 9.0; use the same, or anot",
        ("--keep", "source"): f"keep: ['source']: {output} was made with []; use the same, or",
        ("--model", "sleep://0?version=2"): "model: 'sleep://0?version=2' (fingerprint ",
    }
    started = {more: start(*command, *more) for more in refusals}
    for more, process in started.items():
        code, _, err = finish(process)
        assert code == 2
        assert len(err.splitlines()) == 1
        assert err.startswith(refusals[more])
    write_manifest(tmp_path / "in", 6, other)
    code, _, err = finish(start(*command))
    assert code == 2
    rule = "the output holds this request made with"
    lines = err.splitlines()
    assert lines[0] == (f"row 4 (request_id 'r0004'): prompt: 'another': {rule} 'a crack in metal'")
    assert lines[1] == f"row 4 (request_id 'r0004'): seed: 99: {rule} 4"
    assert lines[2].startswith("row 5 (request_id 'r0005'): trimap: 'sha256 ")
    assert sorted(output.rglob("*")) == before


def test_a_model_that_does_not_load_leaves_nothing_behind(
    start: Command, ray_address: str, tmp_path: Path
) -> None:
    manifest, output = write_manifest(tmp_path / "in", 6), tmp_path / "out"
    command = words(manifest, output, "sleep://0?fail=cut+short")
    code, _, err = finish(start(*command, RAY_ADDRESS=ray_address))
    assert code == 2
    assert err.splitlines()[-1] == "model: 'sleep://0?fail=cut+short': cannot be loaded: cut short"
    assert not [path for path in output.rglob("*") if path.is_file()]
    command = words(manifest, output, "sleep://0?version=2")
    assert finish(start(*command, RAY_ADDRESS=ray_address))[0] == 0


def test_when_everything_fails_it_stops_and_condemns_no_request(
    start: Command, ray_address: str, tmp_path: Path
) -> None:
    manifest, output = write_manifest(tmp_path / "in", 130), tmp_path / "out"
    command = words(manifest, output, "sleep://0?raise=a", "--batch-size", "16")
    code, _, err = finish(start(*command, RAY_ADDRESS=ray_address))
    assert code == 1
    assert "requests all failed: RuntimeError: asked to raise" in err.splitlines()[-1]
    assert "(and a drawn one that is in order: RuntimeError" in err.splitlines()[-1]
    assert index_of(output) == []


def test_workers_get_the_gpus_they_ask_for_and_a_batchs_shape_is_part_of_the_configuration(
    start: Command, ray_address: str, undisturbed: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    manifest, output = write_manifest(tmp_path / "in", 12), tmp_path / "out"
    gpus = ("--gpus-per-worker", "1", "--workers", "1:2", "--batch-size")
    command = words(manifest, output, "sleep://0")
    code, _, err = finish(start(*command, *gpus, "4", RAY_ADDRESS=ray_address))
    assert code == 0, err
    assert hashes_of(output).items() <= undisturbed.items()
    code, _, err = finish(start(*command, *gpus, "2", RAY_ADDRESS=ray_address))
    assert code == 2
    assert err.startswith("batch_size: 2: ")


def test_a_machine_without_gpu_says_so_and_writes_nothing(start: Command, tmp_path: Path) -> None:
    manifest, output = write_manifest(tmp_path / "in", 6), tmp_path / "out"
    command = words(manifest, output, "sleep://0", "--gpus-per-worker", "1")
    code, _, err = finish(start(*command, CUDA_VISIBLE_DEVICES=""))
    assert code == 2
    assert err == "--gpus-per-worker: 1.0: this machine has no GPU; 0 runs on the CPU\n"
    assert not [path for path in output.rglob("*") if path.is_file()]
