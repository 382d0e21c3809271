"""Drivers are started as often as it takes, and no more once the round is over."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from jobs.chaos import crew as module
from jobs.chaos.crew import Crew
from jobs.chaos.own_ray import PATIENCE


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crew:
    program = tmp_path / "program"
    program.write_text(f'#!{sys.executable} -S\nimport sys\nprint("the end")\nsys.exit(1)\n')
    program.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(program))
    return Crew([], tmp_path, {})


def until_ended(crew: Crew) -> None:
    for driver in crew.alive:
        driver.process.wait(30)


def test_a_driver_that_stopped_is_followed_by_another(crew: Crew) -> None:
    crew.tend(5)
    assert [driver.seen for driver in crew.alive] == [5]
    until_ended(crew)
    crew.tend(7)
    assert [driver.seen for driver in crew.alive] == [7]
    assert crew.ends == {(1, "the end"): 1}
    crew.finish()


def test_a_round_that_is_over_starts_none(crew: Crew) -> None:
    crew.tend(0)
    assert crew.finish() == []
    assert not crew.alive
    assert crew.ends.total() == 1


def test_none_is_started_while_a_file_is_replaced(crew: Crew) -> None:
    crew.hold_until = time.monotonic() + 60
    crew.tend(0)
    assert not crew.alive


def test_drivers_do_not_wait_for_a_head_as_long_as_nodes_may_take_to_start(
    crew: Crew, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    program = Path(module.sys.executable)
    text = program.read_text().replace('"the end"', "sorted(os.environ)")
    program.write_text(text.replace("import sys", "import os, sys"))
    told = crew.start(0)
    until_ended(crew)
    assert "RAY_AUTH_MODE" in told.last_line()
    assert not any(name in told.last_line() for name in PATIENCE)
    crew.close()
