"""What ``adabldm train`` tells at its end of pairs before and after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.storage.location import location
from cluster.train.store import PhaseStore
from jobs.verbs.looks import looks_of, tell_looks

Figures = dict[str, float]


class Training:
    """A training that has logged ``looks``, the figures of its looks by step."""

    name = "screw"

    def __init__(self, folder: Path, looks: dict[int, Figures]) -> None:
        self._folder = folder
        store = self.store("branch")
        for step, figures in looks.items():
            store.log(step, figures)
            store.log(step, {"loss": 0.5})

    def store(self, phase: str) -> PhaseStore:
        return PhaseStore(location("--output", str(self._folder / phase)))


def look(distance: float, looks: float = 1.0, accepted: float = 1.0, **more: float) -> Figures:
    return {
        "coverage": 0.9, "agreement": 0.5, "accepted": accepted, "real_distance": distance,
        "looks_coverage": 0.8, "looks_accepted": accepted, "looks_real_distance": looks, **more,
    }  # fmt: skip


def test_the_first_and_the_last_look_are_told_with_their_sheets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training(tmp_path, {0: look(2.4), 50: look(3.1), 100: look(1.9, cl_dice=0.7)})
    tell_looks([training])  # type: ignore[list-item]
    told = capsys.readouterr()
    noise, looks = (line for line in told.out.splitlines() if "│ from " in line)
    assert "2.40 -> 1.90" in noise
    assert "- -> 0.70" in noise
    assert "0.80 -> 0.80" in looks
    assert "1.00 -> 1.00" in looks
    assert f"{tmp_path}/branch/sheets" in told.out
    assert not told.err


@pytest.mark.parametrize(
    ("before", "after", "helped"),
    [
        (look(2.0, 1.5), look(1.9, 1.5), True),
        (look(2.0, 1.0), look(1.8, 1.1), True),
        (look(2.0, 1.0), look(1.9, 1.3), False),
        (look(2.0), look(1.0, accepted=0.95), True),
        (look(2.0), look(1.0, accepted=0.8), False),
    ],
)
def test_training_helped_if_defects_are_nearer_to_real_ones_and_still_accepted(
    before: Figures, after: Figures, helped: bool, tmp_path: Path
) -> None:
    found = looks_of(Training(tmp_path, {0: before, 9: after}))  # type: ignore[arg-type]
    assert found is not None
    assert found.helped == helped


def test_a_training_that_did_not_help_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_looks([Training(tmp_path, {0: look(1.2), 9: look(1.4)})])  # type: ignore[list-item]
    told = capsys.readouterr()
    assert told.err.startswith(
        "warning: screw: training did not help: from noise 1.20 -> 1.40, from looks 1.00 -> 1.00 "
        "times as far from real defects as they are from each other"
    )


def test_without_two_looks_there_is_nothing_to_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training(tmp_path, {0: look(0.8)})
    assert looks_of(training) is None  # type: ignore[arg-type]
    tell_looks([training])  # type: ignore[list-item]
    assert capsys.readouterr().out == ""
