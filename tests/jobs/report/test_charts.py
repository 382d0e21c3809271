"""Axes end at round numbers, and say them as people write them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.report.charts import Axis, stacked

FINITE = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False, allow_subnormal=False)


@given(st.lists(FINITE, min_size=1, max_size=20), st.booleans())
def test_an_axis_holds_its_values_between_few_ticks(values: list[float], zero: bool) -> None:
    axis = Axis.around(values, zero=zero)
    assert axis.low <= min(values) + 1e-6 * (axis.high - axis.low)
    assert axis.high >= max(values) - 1e-6 * (axis.high - axis.low)
    assert 2 <= len(axis.ticks) <= 8
    assert [tick.at for tick in axis.ticks] == sorted({tick.at for tick in axis.ticks})
    assert len({tick.label for tick in axis.ticks}) == len(axis.ticks)
    if zero:
        assert axis.low <= 0 <= axis.high


@given(st.lists(st.floats(min_value=1e-7, max_value=1e7), min_size=1, max_size=20))
def test_a_logarithmic_axis_does_so_too(values: list[float]) -> None:
    axis = Axis.decades(values)
    assert axis.low <= min(values) * (1 + 1e-6)
    assert axis.high >= max(values) * (1 - 1e-6)
    assert 1 <= len(axis.ticks) <= 8
    assert not any("e" in tick.label for tick in axis.ticks)


@pytest.mark.parametrize(
    ("axis", "labels"),
    [
        (Axis(low=0, high=1), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Axis(low=0, high=12.5), ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5"]),
        (Axis(low=-50, high=75), ["−50", "−25", "0", "25", "50", "75"]),
        (Axis(low=0, high=5000), ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]),
        (Axis.decades([0.012, 0.4]), ["0.01", "0.03", "0.1", "0.3"]),
        (Axis.decades([21, 180]), ["20", "50", "100", "200"]),
    ],
)
def test_labels_have_the_digits_that_they_need(axis: Axis, labels: list[str]) -> None:
    assert [tick.label for tick in axis.ticks] == labels


def test_stacked_bars_are_as_high_as_what_they_count() -> None:
    axis = Axis(low=0, high=36)
    below, above = stacked(axis, [np.array([0.5, 0.5, 1.5]), np.array([0.5, 99])])
    assert [(bar.x, bar.height, bar.y) for bar in below] == [
        (0, pytest.approx(66.667, abs=0.01), pytest.approx(33.333, abs=0.01)),
        (pytest.approx(2.778), pytest.approx(33.333, abs=0.01), pytest.approx(66.667, abs=0.01)),
    ]
    assert [bar.y for bar in above] == [0, pytest.approx(66.667, abs=0.01)]
    assert stacked(axis, [np.array([])]) == [[]]
