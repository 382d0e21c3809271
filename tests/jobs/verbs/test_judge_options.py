"""The judge as the command line says it: its defaults, and each refusal in one line."""

from __future__ import annotations

import math

import pytest

from adabldm.core.faults import InputFault
from adabldm.judging.options import JudgeOptions, Limits
from jobs.verbs.generate_words import parse_keep
from jobs.verbs.judge_options import read_judge

NOTHING: dict = {
    "judge": None,
    "candidates": None,
    "retries": None,
    "mask": None,
    "limits": (),
    "resolution": "native",
}


def read(**typed: object) -> JudgeOptions | None:
    return read_judge(**{**NOTHING, **typed})


def test_native_pairs_are_judged_and_those_of_the_papers_protocol_are_not() -> None:
    assert read() == JudgeOptions(candidates=1, retries=3)
    assert read(resolution="model") is None
    assert read(judge=False) is None


@pytest.mark.parametrize(
    "typed",
    [
        {"judge": True},
        {"candidates": 4},
        {"retries": 0},
        {"mask": "refined"},
        {"limits": ["seam=2"]},
    ],
)
def test_at_the_models_size_any_option_of_the_judge_asks_for_it(typed: dict) -> None:
    assert read(resolution="model", **typed) is not None


def test_what_is_typed_is_meant() -> None:
    found = read(candidates=4, retries=1, mask="refined", limits=["coverage=0.9", "seam=inf"])
    limits = Limits(coverage=0.9, seam=math.inf)
    assert found == JudgeOptions(candidates=4, retries=1, mask="refined", limits=limits)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ({"candidates": 0}, "--candidates: 0: must be 1 or more"),
        ({"retries": -1}, "--retries: -1: must be 0 or more"),
        ({"limits": ["coverage"]}, "--limit: 'coverage': must be name=value, as in coverage=0.6"),
        ({"limits": ["cover=1"]}, "--limit: 'cover': must be one of coverage, agreement, "),
        ({"limits": ["coverage=much"]}, "--limit: coverage: 'much': must be a number"),
        ({"limits": ["coverage=nan"]}, "--limit: coverage: nan: must be in 0..1"),
        ({"limits": ["coverage=2"]}, "--limit: coverage: 2.0: must be in 0..1"),
        (
            {"limits": ["coverage=1", "coverage=1"]},
            "--limit: coverage: 'coverage=1': is given twic",
        ),
        (
            {"judge": False, "candidates": 2},
            "--candidates: 2: is the judge's, and --no-judge leaves it out",
        ),
        (
            {"judge": False, "limits": ["seam=2"]},
            "--limit: ['seam=2']: is the judge's, and --no-judge leaves it out",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(typed: dict, line: str) -> None:
    with pytest.raises(InputFault) as refused:
        read(**typed)
    (told,) = refused.value.lines
    assert told.startswith(line)


def test_rejected_pairs_can_be_kept_only_where_there_is_a_judge() -> None:
    assert parse_keep("rejected, source", judged=True) == ("source", "rejected")
    with pytest.raises(InputFault, match="--keep: 'rejected': is for pairs that are judged"):
        parse_keep("source,rejected", judged=False)
    with pytest.raises(InputFault, match="--keep: 'all': must be among source, trimap, blended, r"):
        parse_keep("all", judged=True)
