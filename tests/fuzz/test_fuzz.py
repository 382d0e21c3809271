"""A few hundred mutated inputs: each is taken, or refused in a line, and all doors agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from tests.fuzz.case import Case
from tests.fuzz.doors import KINDS
from tests.fuzz.one import kind_of, run_one

SEED = 7
INPUTS = {
    "pictures": 150,
    "masks": 60,
    "manifests": 40,
    "layouts": 30,
    "models": 30,
    "outputs": 8,
    "specs": 60,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", INPUTS)
def test_mutated_inputs_are_taken_or_refused_in_a_line(kind: str, tmp_path: Path) -> None:
    number = done = 0
    while done < INPUTS[kind]:
        if kind_of(SEED, number) == kind:
            case = run_one(SEED, number, tmp_path / str(number))
            assert not case.breaches, f"--replay {SEED}:{number}"
            assert case.counts
            done += 1
        number += 1


@pytest.mark.parametrize(
    ("error", "sign"),
    [
        (KeyError("x"), "KeyError"),
        (MemoryError(), "MemoryError"),
        (InputFault(""), "says nothing"),
        (InputFault("a: b\nTraceback"), "several lines"),
        (InputFault("x: 1: y", "no field"), "without a field"),
    ],
)
def test_what_no_door_may_do_is_found(error: Exception, sign: str, tmp_path: Path) -> None:
    case = Case(0, 0, "pictures", tmp_path)

    def door() -> None:
        raise error

    case.call("door", (InputFault,), door)
    assert [sign in breach.sign for breach in case.breaches] == [True]


def test_an_input_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    number = next(n for n in range(100) if kind_of(SEED, n) == "pictures")
    first, second = (run_one(SEED, number, tmp_path / name).kept for name in ("a", "b"))
    assert first
    assert first == second


def test_every_kind_has_its_share() -> None:
    assert all(kind.share > 0 for kind in KINDS.values())
