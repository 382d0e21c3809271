"""What ``adabldm train`` tells at its end of pairs before and after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.storage.location import location
from cluster.train.store import PhaseStore
from jobs.verbs.looks import looks_of, tell_looks


class Training:
    """A training that has logged ``looks``, the figures of its looks by step."""

    name = "screw"

    def __init__(self, folder: Path, looks: dict[int, dict[str, float]]) -> None:
        self._folder = folder
        store = self.store("branch")
        for step, figures in looks.items():
            store.log(step, figures)
            store.log(step, {"loss": 0.5})

    def store(self, phase: str) -> PhaseStore:
        return PhaseStore(location("--output", str(self._folder / phase)))


def look(coverage: float, agreement: float = 0.5, **more: float) -> dict[str, float]:
    return {"coverage": coverage, "agreement": agreement, "accepted": 0.25, **more}


def test_the_first_and_the_last_look_are_told_with_their_sheets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training(tmp_path, {0: look(0.4), 50: look(0.1), 100: look(0.9, cl_dice=0.7)})
    tell_looks([training])  # type: ignore[list-item]
    told = capsys.readouterr()
    assert "0.40 -> 0.90" in told.out
    assert "- -> 0.70" in told.out
    assert f"{tmp_path}/branch/sheets" in told.out
    assert not told.err


def test_a_training_that_did_not_help_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_looks([Training(tmp_path, {0: look(0.8), 9: look(0.7)})])  # type: ignore[list-item]
    told = capsys.readouterr()
    assert told.err.startswith("warning: screw: training did not help: 0.80 -> 0.70 of the mask")


def test_without_two_looks_there_is_nothing_to_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training(tmp_path, {0: look(0.8)})
    assert looks_of(training) is None  # type: ignore[arg-type]
    tell_looks([training])  # type: ignore[list-item]
    assert capsys.readouterr().out == ""
