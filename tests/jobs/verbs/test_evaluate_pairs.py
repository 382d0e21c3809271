"""``adabldm evaluate --pairs --json`` compares pairs with held-out defects, or says why not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.jobs.verbs.test_evaluate_arms import run
from tests.support.comparisons import make_pairs, prepared_set


@pytest.fixture
def data(tmp_path: Path) -> Path:
    prepared_set(tmp_path)
    goods = sorted((tmp_path / "data/plate/train/good").iterdir())
    make_pairs(tmp_path / "pairs", goods, 10, statuses={8: "rejected"})
    return tmp_path


def test_figures_by_type_and_their_mean_are_written_and_shown(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--pairs", "pairs", "--json", "out.json")
    code, out, _ = run(data, monkeypatch, capsys, *words)
    assert code == 0
    assert out[-1] == f"9 pairs beside 8 held-out defects, on lite0: {data}/out.json"
    found = json.loads((data / "out.json").read_text())
    crack = found["by_type"]["crack"]
    assert (crack["pairs"], crack["real"], crack["few"]) == (4, 4, 2)
    assert found["features"] == "lite0"
    assert found["kid"] == pytest.approx(
        (crack["kid"] + found["by_type"]["hole"]["kid"]) / 2, rel=1e-9
    )
    assert 0 < found["ic_diversity"] < 12
    assert found["not_compared"] == []
    code, _, _ = run(data, monkeypatch, capsys, *words[:2], "--json", "again.json")
    assert json.loads((data / "again.json").read_text()) == found


REFUSED = {
    "raw": (("data", "--pairs", "pairs"), r"DATASET: .*is not prepared"),
    "no index": (("prepared", "--pairs", "data"), r"--pairs: '.*data': has no index"),
    "backbone": (
        ("prepared", "--pairs", "pairs", "--backbone", "./none"),
        r"--backbone: '.*none': cannot be opened",
    ),
    "arms": (("prepared", "--pairs", "pairs", "--arms", "few"), "--arms: 'few': is for --output"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_one_line_and_two(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    words, told = REFUSED[name]
    code, _, err = run(
        data, monkeypatch, capsys, *words[1:], "--json", "out.json", data_set=words[0]
    )
    assert code == 2
    (line,) = err
    assert re.match(told, line), line
    assert not (data / "out.json").exists()


def test_a_pair_that_cannot_be_read_is_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    next((data / "pairs/plate/test/hole").iterdir()).write_bytes(b"gone")
    code, _, err = run(data, monkeypatch, capsys, "--pairs", "pairs", "--json", "out.json")
    assert code == 2
    assert len(err) == 1
    assert "pairs/plate/test/hole/" in err[0]
