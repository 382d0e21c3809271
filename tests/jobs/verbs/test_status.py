"""``adabldm status``: how far an output is, whoever asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from cluster.generate.protocol import FAILED, OK, Fact
from cluster.generate.telling import Telling
from cluster.output import status as module
from cluster.output.verification import verify
from jobs.verbs import status
from tests.support.outputs import draw_output


def told(capsys: pytest.CaptureFixture[str], output: Path) -> dict:
    status.main(str(output), as_json=True)
    return json.loads(capsys.readouterr().out)


def test_an_output_is_told_while_it_is_made_and_afterwards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = draw_output(str(tmp_path / "out"), 6, statuses={1: "rejected", 2: "failed"})
    telling = Telling(output, 10)
    telling.take(Fact(request_id="r0", status=OK, made_by="host/1"))
    telling.take(Fact(request_id="r2", status=FAILED, reason="why", made_by="host/1"))
    telling.tell(0)
    telling._told, telling._seen[0] = 0.0, (telling._seen[0][0] - 3, 0)
    telling.tell(6)
    found = told(capsys, tmp_path / "out")
    counts = {name: found[name] for name in ("requests", "ok", "rejected", "failed", "pending")}
    assert counts == {"requests": 10, "ok": 4, "rejected": 1, "failed": 1, "pending": 4}
    assert found["state"] == "running"
    assert found["rate"] == pytest.approx(2, rel=0.3)
    assert found["seconds_left"] == pytest.approx(2, rel=0.3)
    assert found["types"]["nut/crack"] == {"ok": 2, "rejected": 0, "failed": 1}
    assert found["workers"] == {"host/1": 2}
    assert found["last_failures"] == [{"request_id": "r2", "reason": "why"}]
    assert not list(verify(output, lambda _: None))
    monkeypatch.setattr(module, "SILENT_SECONDS", -1)
    assert told(capsys, tmp_path / "out")["state"] == "silent"
    telling.tell(7, "stopped", "no space left")
    status.main(str(tmp_path / "out"), watch=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "stopped: 9 requests, 4 ok, 1 rejected, 1 failed, 3 pending"
    assert "  it says: no space left" in lines
    assert "  worker host/1: 2" in lines


def test_an_output_of_which_nothing_was_told_has_its_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = draw_output(str(tmp_path / "out"), 3)
    found = told(capsys, tmp_path / "out")
    assert (found["state"], found["requests"], found["pending"]) == ("unknown", 3, 0)
    output.join("index/_progress.json").write(b"{")
    assert told(capsys, tmp_path / "out")["state"] == "unknown"


def test_a_place_that_is_no_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFault, match="has no index; it must be an output of generate"):
        status.main(str(tmp_path))
