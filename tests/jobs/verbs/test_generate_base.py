"""``adabldm generate`` with a start that was not trained yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import cli
from tests.support.making import Row, write_manifest
from tests.support.starts import sd_folder

RULE = "has no control branch: train one with `adabldm train`"


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> list[str]:
    capsys.readouterr()
    monkeypatch.setattr("sys.argv", ["adabldm", "generate", "--gpus-per-worker", "0", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_a_start_without_a_control_branch_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = sd_folder(tmp_path / "sd")
    manifest = write_manifest(tmp_path / "in")
    words = ("--manifest", str(manifest), "--output", str(tmp_path / "out"), "--model", str(model))
    assert refusal(monkeypatch, capsys, *words) == [f"model: {str(model)!r}: {RULE}"]
    assert not (tmp_path / "out").exists()


def test_a_row_that_names_such_a_start_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = sd_folder(tmp_path / "in/sd")

    def change(rows: list[Row]) -> None:
        rows[3]["model"] = str(model)

    manifest = write_manifest(tmp_path / "in", change=change)
    words = ("--manifest", str(manifest), "--output", str(tmp_path / "out"), "--model", "embedded")
    lines = refusal(monkeypatch, capsys, *words)
    assert len(lines) == 1
    assert lines[0].startswith("row 3 (request_id 'r0003'): model: ")
    assert lines[0].endswith(RULE)
    assert not (tmp_path / "out").exists()
