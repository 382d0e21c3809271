"""``adabldm train`` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adabldm.branches.card import CARD, BranchCard
from jobs import cli
from jobs.verbs.demo import draw_data_set
from tests.support.making import index_of
from tests.support.tiny import tiny_pipeline

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "base"
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``adabldm``; returns its exit code, what it printed and its error lines."""

    def one(*words: object) -> tuple[int, str, list[str]]:
        monkeypatch.setattr("sys.argv", ["adabldm", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err.splitlines()

    return one


BRIEF = ("--steps", 4, "--pairs", 8, "--gpus-per-worker", 0)


def test_a_branch_a_type_is_trained_planned_and_generated_with(
    ray_address: str, run: Run, data: Path, base: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "branches"
    only = ("--defect", "crack", "--defect", "scratch")
    code, out, err = run(
        "train", data, "--base", base, "--output", trained, "--each", "type",
        "--workers", 2, "--rank", 4, *only, *BRIEF,
    )  # fmt: skip
    assert code == 0, err
    assert out.splitlines()[-1].startswith("trained 2 of 2 branches")
    card = BranchCard.from_json((trained / "brushed_metal/crack" / CARD).read_bytes())
    assert (card.form, card.defects) == ("low-rank", ("crack",))
    code, _, err = run(
        "plan", data, "--count", 4, "--seed", 1, "--output", tmp_path / "plan",
        "--model", "{object}/{defect}", *only,
    )  # fmt: skip
    assert code == 0, err
    code, _, err = run(
        "generate", "--manifest", tmp_path / "plan/manifest.parquet", "--model", base,
        "--branches", trained, "--output", tmp_path / "pairs", "--gpus-per-worker", 0,
        "--mode", "fast", "--steps", 6,
    )  # fmt: skip
    assert code == 0, err
    rows = index_of(tmp_path / "pairs")
    assert {row["model"] for row in rows} == {"brushed_metal/crack", "brushed_metal/scratch"}
    assert all(row["model"].endswith(row["defect"]) for row in rows)


def test_a_training_that_is_run_again_changes_nothing_and_one_of_other_settings_is_refused(
    ray_address: str, run: Run, data: Path, base: Path, tmp_path: Path
) -> None:
    words = ("train", data, "--base", base, "--output", tmp_path / "out", *BRIEF)
    code, out, err = run(*words)
    assert code == 0, err
    assert out.splitlines()[-1].endswith(f": {tmp_path}/out")
    before = (tmp_path / "out" / CARD).read_bytes()
    assert run(*words)[0] == 0
    assert (tmp_path / "out" / CARD).read_bytes() == before
    code, _, err = run(*words, "--seed", 3)
    assert code == 2
    assert err[0].startswith("seed: 3: "), err
    assert json.loads((tmp_path / "out/training/run.json").read_text())["config"]["seed"] == 0


def test_relative_places_are_those_of_the_directory_in_which_they_were_typed(
    ray_address: str,
    run: Run,
    data: Path,
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").symlink_to(base)
    (tmp_path / "data").symlink_to(data)
    code, out, err = run("train", "data", "--base", "base", "--output", "branch", *BRIEF)
    assert code == 0, err
    assert out.splitlines()[-1].endswith(f": {tmp_path}/branch")
    assert (tmp_path / "branch" / CARD).is_file()


@pytest.mark.parametrize("each", ["none", "object"])
def test_a_result_that_is_not_there_is_not_said_to_be(
    each: str, run: Run, data: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.train.launch.train", lambda *_: None)
    monkeypatch.setattr(
        "cluster.train.launch.train_each",
        lambda jobs, *_: {job.name: None for job in jobs},
    )
    words = ("train", data, "--base", base, "--output", tmp_path / "out", "--each", each, *BRIEF)
    code, out, err = run(*words)
    assert code == 1
    assert not any(line.startswith("trained a branch") for line in out.splitlines())
    assert any(f"was trained, but nothing is at {tmp_path}/out" in line for line in err), err


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--steps", 4, "--batch-size", 3, "--workers", 2), "--batch-size: 3: must be a multiple"),
        (("--ema", 1.5), "--ema: 1.5: must be in 0..1"),
        (("--learning-rate", "nan"), "--learning-rate: nan: must be finite"),
        (("--prompt-drop", 2), "--prompt-drop: 2.0: must be in 0..1"),
        (("--min-snr", 0), "--min-snr: 0.0: must be above 0"),
        (("--defect", "rust"), "--defect: 'rust': must be one of blowhole, crack, scratch"),
        (("--base", "nowhere"), "--base: "),
        (("--from-scratch", "--each", "type"), "--each: 'type': makes branches"),
    ],
)
def test_bad_input_is_named_before_anything_starts(
    run: Run, data: Path, base: Path, tmp_path: Path, words: tuple, fault: str
) -> None:
    start = () if "--base" in words else ("--base", base)
    code, _, err = run(
        "train", data, *start, "--output", tmp_path / "out", "--gpus-per-worker", 0, *words
    )
    assert code == 2
    assert err[0].startswith(fault), err
    assert not (tmp_path / "out").exists()


def test_a_data_set_without_defects_is_refused(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "only/train").mkdir(parents=True)
    (tmp_path / "only/train/good").symlink_to(data / "train/good")
    code, _, err = run("train", tmp_path / "only", "--output", tmp_path / "out")
    assert code == 2
    assert err[0].startswith("DATASET: "), err
