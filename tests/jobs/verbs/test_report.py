"""``adabldm report`` says what it wrote and where, and refuses in one line what it cannot do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from cluster.storage.location import Location
from jobs.verbs import report
from tests.conftest import ROOT, Command
from tests.support.reported import draw_reported

COUNT = 12


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    return draw_reported(str(tmp_path / "pairs"), COUNT).path


def test_the_page_is_in_the_output_unless_it_is_said_where(
    pairs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.main(pairs)
    told = capsys.readouterr().out
    pattern = rf"{COUNT} requests, 11 thumbnails, \d+\.\d MB: {re.escape(pairs)}/report.html\n"
    assert re.fullmatch(pattern, told)
    report.main(pairs, f"{tmp_path}/new/page.html", thumbnails=3)
    assert ", 3 thumbnails, " in capsys.readouterr().out
    assert b'"base":"../pairs/"' in (tmp_path / "new/page.html").read_bytes()


def test_it_can_be_written_again_and_into_a_bucket(pairs: str, s3: str) -> None:
    report.main(pairs)
    report.main(pairs)
    report.main(pairs, f"{s3}/page.html")
    page = Location.of(f"{s3}/page.html").read()
    assert b"cannot be reached from this page" in page


def test_lost_pictures_are_named_on_the_way(pairs: str, capsys: pytest.CaptureFixture[str]) -> None:
    (Path(pairs) / "nut/test/crack/r0000.png").unlink()
    report.main(pairs)
    assert capsys.readouterr().err.startswith("nut/test/crack/r0000.png: cannot be read: ")


REFUSED = {
    "no output": (("none",), r"OUTPUT: '.*/none': there is no such folder"),
    "no index": ((".",), r"OUTPUT: '.*': has no index: it is not what generate writes"),
    "a folder": (("pairs", "new"), r"--output: '.*/new': is a folder; it must be a file"),
    "in the output": (("pairs", "pairs/nut/x.html"), r"--output: '.*': is inside the output"),
    "an index's file": (("pairs", "pairs/run.json"), r"--output: '.*': is inside the output"),
    "no evaluation": (("pairs", None, "none"), r"--evaluation: '.*/none': does not exist"),
    "an empty folder": (("pairs", None, "new"), r"--evaluation: '.*evaluation.json': does not"),
    "no file": (("pairs", None, "s3://"), r"--evaluation: 's3://': is not the URI"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    name: str, pairs: str, tmp_path: Path
) -> None:
    words, told = REFUSED[name]
    (tmp_path / "new").mkdir()
    places = [word if word is None or "://" in word else f"{tmp_path}/{word}" for word in words]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputFault, match=told) as caught:
        report.main(*places)
    assert len(caught.value.lines) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_user_types_relative_paths(pairs: str, tmp_path: Path, start: Command) -> None:
    here, page = (os.path.relpath(place, ROOT) for place in (pairs, tmp_path / "page.html"))
    done = start("report", here, "--output", page)
    out, err = done.communicate(timeout=120)
    assert (done.returncode, err) == (0, "")
    assert out.endswith(f"{tmp_path}/page.html\n")
    bad = start("report", str(tmp_path / "none"))
    out, err = bad.communicate(timeout=120)
    assert (bad.returncode, out, len(err.splitlines())) == (2, "", 1)
