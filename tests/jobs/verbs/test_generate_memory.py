"""``adabldm generate`` where memory decides how many requests are computed together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs import cli
from tests.support.making import hashes_of, index_of, write_manifest

Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def generate(
    ray_address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """Run ``adabldm generate`` on the Ray that the tests share; its exit code and error lines."""

    def run(manifest: Path, output: str, model: str, *more: str) -> tuple[int, list[str]]:
        words = ["--manifest", str(manifest), "--output", str(tmp_path / output), "--model", model]
        monkeypatch.setattr("sys.argv", ["adabldm", "generate", *words, *more])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err.splitlines()

    return run


def test_a_batch_that_fits_is_found_and_the_output_is_bound_to_its_being_found(
    generate: Run, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in", 40)
    assert generate(manifest, "wide", "sleep://0", "--gpus-per-worker", "0")[0] == 0
    tight = ("sleep://0?room=5", "--gpus-per-worker", "1", "--batch-size")
    assert generate(manifest, "tight", *tight, "auto")[0] == 0
    assert hashes_of(tmp_path / "tight") == hashes_of(tmp_path / "wide")
    bound = json.loads((tmp_path / "tight/run.json").read_text())["config"]
    assert bound["batch_size"] == "auto"
    code, errors = generate(manifest, "tight", *tight, "4")
    assert code == 2
    assert errors[-1].startswith(f"batch_size: 4: {tmp_path}/tight was made with 'auto'")


def test_a_batch_without_room_is_halved_and_no_request_is_blamed(
    generate: Run, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in", 20)
    more = ("--gpus-per-worker", "1", "--batch-size", "8")
    assert generate(manifest, "out", "sleep://0?room=3", *more)[0] == 0
    assert {row["status"] for row in index_of(tmp_path / "out")} == {"ok"}
    bound = json.loads((tmp_path / "out/run.json").read_text())["config"]
    assert bound["batch_size"] == 8


def test_a_model_without_room_for_one_request_stops_the_job_and_blames_no_row(
    generate: Run, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in", 6)
    code, errors = generate(manifest, "out", "sleep://0?room=0", "--gpus-per-worker", "0")
    assert code == 1
    assert "one request by itself does not fit in a worker's memory" in errors[-1]
    assert index_of(tmp_path / "out") == []
