"""The demo goes the whole way on a machine with nothing on it, and can be run again."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from PIL import Image

from adabldm.data import drawn_metal
from jobs.verbs import demo
from jobs.verbs.plan import make_plan
from tests.support.reading import read_mvtec

MODEL = "sleep://1?size=128"


def test_the_demo_ends_with_verified_pairs_and_a_sheet_and_a_second_one_finds_them(
    ray_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = demo.run_demo(tmp_path / "demo", requests=7, model=MODEL)
    said = capsys.readouterr().out
    assert "in mode fast" in said
    assert "7 rows, all as they should be" in said
    assert Image.open(first).size[0] > 1000
    page = first.with_name(demo.REPORT).read_text()
    assert '"base":"pairs/"' in page
    assert "Each has a thumbnail" in page
    assert DeltaTable(str(tmp_path / "demo/pairs/index")).count() == 7
    (made,) = read_mvtec(str(add_good(tmp_path / "demo/pairs")))
    assert made.name == "brushed_metal"
    assert len(made.defects) == 7
    sheet = first.read_bytes()
    second = demo.run_demo(tmp_path / "demo", requests=7, model=MODEL)
    assert "made 0 pairs, 7 were there" in capsys.readouterr().out
    assert second.read_bytes() == sheet


def add_good(pairs: Path) -> Path:
    """A user's own good pictures, which complete the pairs to a data set."""
    (pairs / "brushed_metal/train/good").mkdir(parents=True)
    return pairs


def test_the_demo_draws_its_own_data_and_asks_in_words_that_the_model_knows(
    tmp_path: Path,
) -> None:
    folder = demo.draw_data_set(tmp_path)
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    (drawn,) = read_mvtec(str(demo.draw_data_set(tmp_path)))
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before
    assert len(drawn.good) == demo.GOOD
    assert drawn.defect_types == sorted(drawn_metal.DEFECTS)
    plan = make_plan(
        str(folder), count=demo.REQUESTS, seed=1, output=str(tmp_path), object_name=demo.NOUN
    )
    prompts = set(pq.read_table(plan.manifest.path)["prompt"].to_pylist())
    assert prompts == {f"a metal surface with a {defect}" for defect in drawn_metal.DEFECTS}
