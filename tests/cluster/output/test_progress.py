"""What a run has cost so far is not forgotten because a store is away for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.output.progress import RunProgress, read_progress, write_progress
from cluster.storage import doubt
from cluster.storage.location import Location

TOLD = RunProgress(updated=1.0, pending=3, state="running", worker_hours=2.5, cost=4.0)


@pytest.fixture
def output(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Location:
    monkeypatch.setattr(doubt, "FIRST_WAIT_SECONDS", 0.0)
    return Location.of(f"memory://out-{request.node.name}")


@pytest.mark.parametrize("trouble", [PermissionError("403"), ValueError("a page"), OSError("503")])
def test_what_was_told_is_asked_for_again(
    trouble: Exception, output: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_progress(output, TOLD)
    read, asked = Location.read, []

    def flaky(place: Location, *limits: int) -> bytes:
        asked.append(place)
        if len(asked) < 3:
            raise trouble
        return read(place, *limits)

    monkeypatch.setattr(Location, "read", flaky)
    assert read_progress(output) is None
    told = read_progress(output, surely=True)
    assert told is not None
    assert (told.worker_hours, told.cost) == (2.5, 4.0)


def test_nothing_was_told_where_there_is_no_file(output: Location, tmp_path: Path) -> None:
    for place in (output.join("none"), Location.of(str(tmp_path))):
        assert read_progress(place, surely=True) is None
