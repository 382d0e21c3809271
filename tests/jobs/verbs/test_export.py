"""``adabldm export`` says what it wrote and where, and takes good pictures from a data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from adabldm.data.opening import open_dataset
from jobs.verbs import export
from tests.support.outputs import draw_output
from tests.support.trees import lay_out, mvtec

PAIRS = 6


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    output = draw_output(str(tmp_path / "pairs"), PAIRS + 1, keep=False, statuses={2: "failed"})
    return output.path


def test_a_data_sets_good_pictures_make_mvtec_whole_with_their_split(
    pairs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = lay_out(str(tmp_path / "nut"), mvtec(good=5, test_good=2, defects={"crack": 4}))
    target = tmp_path / "whole"
    export.main(pairs, "mvtec", str(target), good=data)
    told = capsys.readouterr().out.splitlines()
    assert told == [
        f"exported {PAIRS} pairs and 7 good pictures (rows left out: 1 failed): {target}"
    ]
    (folder,) = open_dataset(str(target))
    assert (len(folder.good), len(folder.test_good)) == (5, 2)
    assert {Path(uri).name for uri in folder.good} == {f"{i:03d}.png" for i in range(5)}
    export.main(pairs, "mvtec", str(target), good=data)
    assert f"({PAIRS + 7} were there; rows left out: 1 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("good", "told"),
    [
        ("nowhere", r"--good: '.*/nowhere': there is no such folder"),
        ("empty", r"--good: .*/empty: no layout is recognised"),
        ("other", r"--good: '.*/other': has no good picture of nut"),
    ],
)
def test_a_data_set_that_does_not_help_is_named(
    good: str, told: str, pairs: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    lay_out(str(tmp_path / "other"), mvtec())
    with pytest.raises(InputFault, match=told):
        export.main(pairs, "coco", str(tmp_path / "out"), good=str(tmp_path / good))
    assert not (tmp_path / "out").exists()


def test_an_unreadable_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFault, match=r"OUTPUT: .*/none': there is no such folder"):
        export.main(str(tmp_path / "none"), "coco", str(tmp_path / "out"))
    with pytest.raises(InputFault, match="has no index"):
        export.main(lay_out(str(tmp_path / "set"), mvtec()), "coco", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
