"""``python -m jobs.embedded_model.measure`` with a tiny pipeline and a network that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from jobs.embedded_model import measure
from jobs.embedded_model.figures_table import COLUMNS
from jobs.embedded_model.lite0 import Lite0Missing
from tests.support.measured import DEFECTS, UNSEEN, draw_metal, mean_colours
from tests.support.tiny import tiny_pipeline

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = tiny_pipeline()
    monkeypatch.setattr(measure, "open_lite0", lambda: mean_colours)
    monkeypatch.setattr(measure.AdaBLDMPipeline, "from_pretrained", lambda *_, **__: pipeline)


def run(*words: str) -> Result:
    app = typer.Typer()
    app.command()(measure.main)
    return CliRunner().invoke(app, list(words))


def test_a_run_prints_a_table_writes_its_figures_and_draws_both_sheets(tmp_path: Path) -> None:
    data = draw_metal(tmp_path)
    words = ("--data", data, "--count", "8", "--shots", "4", "--noun", "drawn_metal=metal sheet")
    outputs = ("--sheets", str(tmp_path / "sheets"), "--json", str(tmp_path / "out/figures.json"))
    result = run(*words, *outputs)
    assert result.exit_code == 0, result.output
    for title in (
        "ours",
        "pasted",
        "KID lite0",
        "diversity lite0",
        "coverage, median",
        "best of N",
    ):
        assert title in result.output
    assert "windows of unseen good pictures" in result.output
    (found,) = json.loads((tmp_path / "out/figures.json").read_text())["objects"]
    assert found["noun"] == "metal sheet"
    assert found["native_sizes"] == {"128 x 128": UNSEEN + 2 * (DEFECTS - 4)}
    assert found["real_defects"] == {"blowhole": DEFECTS - 4, "scratch": DEFECTS - 4}
    assert set(found["columns"]) == set(COLUMNS)
    ours, pasted = found["columns"]["ours"], found["columns"]["pasted_hard"]
    assert ours["outside"] == pasted["outside"] == 0
    assert found["columns"]["undefective"]["coverage"] <= pasted["coverage"]
    assert found["columns"]["best"]["coverage"] is not None
    assert ours["kid_lite0"]["pictures"] == [8, 10]
    assert found["columns"]["few"]["pictures"] == 8
    assert {path.name for path in (tmp_path / "sheets").iterdir()} == {
        "drawn_metal.png",
        "drawn_metal_key.json",
        "drawn_metal_pairs.png",
    }


def test_a_second_run_gives_the_same_figures(tmp_path: Path) -> None:
    data, files = draw_metal(tmp_path), [tmp_path / "1.json", tmp_path / "2.json"]
    for file in files:
        run("--data", data, "--count", "4", "--shots", "4", "--json", str(file))
    first, second = (json.loads(file.read_text())["objects"][0] for file in files)
    assert {**first, "seconds_a_candidate": 0} == {**second, "seconds_a_candidate": 0}


def test_without_held_out_defects_the_rest_is_still_measured(tmp_path: Path) -> None:
    data = draw_metal(tmp_path, defects=1)
    result = run("--data", data, "--count", "2", "--sheets", str(tmp_path / "sheets"))
    assert result.exit_code == 0, result.output
    assert "held out: none" in result.output
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["drawn_metal_pairs.png"]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--noun", "metal"), "--noun: 'metal': must be NAME=NOUN"),
        (("--mode", "faster"), "mode: 'faster'"),
        (("--split", "nowhere.json"), "nowhere.json: does not exist"),
    ],
)
def test_a_bad_choice_is_refused_before_anything_is_made(
    tmp_path: Path, words: tuple[str, ...], fault: str
) -> None:
    result = run("--data", draw_metal(tmp_path), *words)
    assert result.exit_code == 2
    assert fault in result.output


def test_an_object_without_unseen_good_pictures_is_refused(tmp_path: Path) -> None:
    result = run("--data", draw_metal(tmp_path, unseen=0))
    assert result.exit_code == 2
    assert "drawn_metal: test_good: is empty" in result.output


def test_a_missing_network_is_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise Lite0Missing("efficientnet_lite_pytorch: is not installed")

    monkeypatch.setattr(measure, "open_lite0", missing)
    result = run("--data", draw_metal(tmp_path))
    assert result.exit_code == 2
    assert "is not installed" in result.output
