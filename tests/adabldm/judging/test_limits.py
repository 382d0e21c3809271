from __future__ import annotations

import math
import re

import pytest

from adabldm.judging.options import JudgeOptions, Limits


def test_limits_are_set_by_name_and_the_rest_are_the_defaults():
    limits = Limits.of(["coverage=0.7", " seam = inf", "agreement=0"])
    assert (limits.coverage, limits.seam, limits.agreement) == (0.7, math.inf, 0)
    assert limits.cl_dice == Limits().cl_dice
    assert Limits.of([]) == Limits()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("coverage", "limit: 'coverage': must be name=value, as in coverage=0.6"),
        ("cover=0.5", "limit: 'cover': must be one of coverage, agreement, cl_dice, seam"),
        ("coverage=much", "coverage: 'much': must be a number"),
        ("coverage=1.5", "coverage: 1.5: must be in 0..1"),
        ("coverage=nan", "coverage: nan: must be in 0..1"),
        ("seam=0", "seam: 0.0: must be above 0, or inf"),
        ("real_distance=nan", "real_distance: nan: must be above 0, or inf"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_field_value_and_rule(setting, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Limits.of([setting])


def test_a_limit_given_twice_is_refused():
    with pytest.raises(ValueError, match=r"coverage: 'coverage=0\.6': is given twice"):
        Limits.of(["coverage=0.5", "coverage=0.6"])


def test_what_is_missed_is_told_with_figure_and_limit_and_what_is_not_there_is_not_asked_for():
    limits = Limits(coverage=0.5, cl_dice=0.9, seam=2, real_distance=3)
    assert limits.missed({"coverage": 0.5, "seam": 2.0, "windows": 9.0}) == []
    assert limits.missed({"coverage": 0.25, "seam": 2.5}) == [
        "coverage 0.25 is below 0.5",
        "seam 2.5 is above 2",
    ]
    assert len(limits.missed({"coverage": math.nan, "real_distance": math.nan})) == 2


def test_every_limit_can_be_turned_off():
    off = Limits.of(["coverage=0", "agreement=0", "cl_dice=0", "seam=inf", "defect_change=inf"])
    worst = {"coverage": 0.0, "agreement": 0.0, "cl_dice": 0.0, "seam": 1e9, "defect_change": 255.0}
    assert off.missed(worst) == []
    assert len(Limits().missed(worst)) == 5


@pytest.mark.parametrize(("field", "value"), [("candidates", 0), ("retries", -1), ("mask", "both")])
def test_options_that_cannot_be_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"{field}: {value!r}"):
        JudgeOptions(**{field: value})
