"""``adabldm generate --dry-run``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from adabldm.cost import arithmetic
from adabldm.cost.miniature import calls_of
from adabldm.sampling.options import ExactOptions, FastOptions, ModeOptions
from jobs import cli
from tests.support.making import Row, write_manifest
from tests.support.tiny import requests, tiny_pipeline

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def dry_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Run ``generate --dry-run`` with a Ray that must not be asked for: code, lines, errors."""

    def refuse(*_: object) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr("cluster.generate.job.ray_session", refuse)

    def run(manifest: Path, *more: str, dry: bool = True) -> tuple[int, list[str], list[str]]:
        words = ["--manifest", str(manifest), "--output", str(tmp_path / "out")]
        if "--model" not in more:
            words += ["--model", "sleep://20"]
        if "--gpus-per-worker" not in more:
            words += ["--gpus-per-worker", "0"]
        flag = ["--dry-run"] if dry else []
        monkeypatch.setattr("sys.argv", ["adabldm", "generate", *words, *flag, *more])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out.splitlines(), told.err.splitlines()

    return run


def test_a_given_rate_and_price_are_reckoned_with_and_nothing_is_written(
    dry_run: Run, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in", 360)
    code, lines, _ = dry_run(manifest, "--rate", "0.1", "--price", "2.5", "--workers", "1:4")
    assert code == 0
    assert lines[1] == "images      360 to make; 0 of 360 requests have a row"
    assert lines[2] == "arithmetic  none: a pipeline that only sleeps"
    assert lines[3] == "rate        0.1 images/s a worker (as given)"
    assert lines[4] == "time        1 worker hours; 0.25 h with 4 busy, starting up apart"
    assert lines[5] == "cost        2.50 at 2.5 a worker hour"
    assert not (tmp_path / "out").exists()


def test_without_a_rate_a_few_requests_are_tried(dry_run: Run, tmp_path: Path) -> None:
    code, lines, _ = dry_run(write_manifest(tmp_path / "in", 30))
    assert code == 0
    found = re.match(r"rate +([\d.]+) images/s a worker \(measured here on 3 requests", lines[3])
    assert found is not None
    assert 10 < float(found[1]) <= 50
    assert not any(line.startswith("cost") for line in lines)
    assert not (tmp_path / "out").exists()


def test_gpu_hours_are_those_that_the_workers_hold(dry_run: Run, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "in", 360)
    _, lines, _ = dry_run(manifest, "--rate", "0.1", "--gpus-per-worker", "0.5")
    assert "1 worker hours, 0.5 GPU hours;" in lines[4]


def test_a_gpu_that_is_not_here_cannot_be_measured(dry_run: Run, tmp_path: Path) -> None:
    code, _, errors = dry_run(write_manifest(tmp_path / "in"), "--gpus-per-worker", "1")
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith("--rate: None: this machine has no GPU to measure on")


def test_what_is_committed_is_not_counted_and_the_output_stays_as_it_is(
    ray_address: str, dry_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster.launch.session import ray_session

    manifest = write_manifest(tmp_path / "in", 6)
    with monkeypatch.context() as patched:
        patched.setattr("cluster.generate.job.ray_session", ray_session)
        assert dry_run(manifest, dry=False)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert dry_run(manifest)[1][1:] == [
        "images      0 to make; 6 of 6 requests have a row",
        "arithmetic  none: a pipeline that only sleeps",
        "nothing is left to do",
    ]
    write_manifest(tmp_path / "in", 10)
    assert "images      4 to make; 6 of 10 requests" in dry_run(manifest, "--rate", "1")[1][1]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    code, _, errors = dry_run(manifest, "--steps", "7")
    assert code == 2
    assert errors[0].startswith("steps: 7: ")


def test_bad_rows_are_refused_as_always(dry_run: Run, tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[3]["seed"] = None

    code, lines, errors = dry_run(write_manifest(tmp_path / "in", change=change), "--rate", "1")
    assert (code, lines, len(errors)) == (2, [], 1)
    assert "seed: None: must be a 64-bit integer" in errors[0]


def test_a_request_that_fails_gives_no_rate(dry_run: Run, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "in")
    code, _, errors = dry_run(manifest, "--model", "sleep://0?raise=crack")
    assert code == 1
    assert errors[0].startswith("no rate: r0000: RuntimeError: asked to raise")
    code, _, errors = dry_run(manifest, "--model", "sleep://0?fail=cut+short")
    assert code == 2
    assert "cannot be loaded: cut short" in errors[0]


def test_a_model_that_does_not_load_is_told_in_one_line(dry_run: Run, tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path / "model")
    (tmp_path / "model/unet/config.json").write_text("{")
    words = ("--model", str(tmp_path / "model"), "--rate", "1")
    code, lines, errors = dry_run(write_manifest(tmp_path / "in"), *words)
    assert (code, lines) == (2, [])
    assert errors[-1].startswith(f"model: '{tmp_path}/model': cannot be loaded: ")


@pytest.mark.parametrize(
    ("words", "dry", "expected"),
    [
        (["--rate", "0"], True, "--rate: 0.0: must be finite and above 0"),
        (["--rate", "inf"], True, "--rate: inf: must be finite and above 0"),
        (["--price", "-1"], True, "--price: -1.0: must be finite and 0 or more"),
        (["--rate", "1"], False, "--rate: 1.0: is for --dry-run"),
        (["--max-cost", "1"], False, "--max-cost: 1.0: needs --price, that of a worker's hour"),
    ],
)
def test_figures_of_no_sense_are_refused(
    words: list[str], dry: bool, expected: str, dry_run: Run, tmp_path: Path
) -> None:
    code, _, errors = dry_run(write_manifest(tmp_path / "in"), *words, dry=dry)
    assert (code, errors) == (2, [expected])


def test_arithmetic_is_that_of_the_jobs_model_and_mode(dry_run: Run, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "in", 10)
    words = ("--model", "embedded", "--mode", "fast", "--rate", "1")
    told = dry_run(manifest, *words)[1][2]
    found = re.match(r"arithmetic  ([\d.]+) TFLOP an image \((.+)\), ([\d.]+) in all", told)
    assert found is not None
    assert float(found[3]) == pytest.approx(10 * float(found[1]), rel=1e-3)
    assert "U-Net" in found[2]
    assert "decoder training step" not in found[2]


@pytest.mark.parametrize(
    "options",
    [
        ExactOptions(steps=10, adaptation_steps=3, resolution="model"),
        FastOptions(resolution="model"),
        FastOptions(
            steps=9,
            image_edits=2,
            guided_edits=True,
            adaptation_steps=2,
            resolution="model",
        ),
    ],
)
def test_a_miniature_takes_the_calls_of_a_larger_model(options: ModeOptions) -> None:
    pipeline = tiny_pipeline()
    with arithmetic.counted_calls(pipeline, options) as calls:
        pipeline(**requests(1), options=options)
    assert calls_of(options) == calls
