"""Throughput is counted in bounded memory, and long pauses take no room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.report import pace
from jobs.report.pace import Pace, chart_of

BEGAN = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)


def counted(seconds: list[int], workers: int = 1) -> Pace:
    found = Pace()
    names = [f"w{number % workers}" for number in range(len(seconds))]
    found.add(names, [BEGAN + timedelta(seconds=second) for second in seconds])
    return found


def test_every_row_is_in_the_chart_and_in_its_workers_line() -> None:
    chart = chart_of(counted(list(range(0, 600, 2)), workers=3))
    assert chart is not None
    assert (chart.total, chart.workers) == (300, 3)
    assert [strip.total for strip in chart.strips] == [100, 100, 100]
    assert len(chart.starts) <= pace.MOST_COLUMNS
    assert (chart.mean, chart.unit) == ("30", "a minute")


def test_a_night_between_two_runs_is_a_gap_of_one_column() -> None:
    evening = list(range(60))
    chart = chart_of(counted([*evening, *(second + 36_000 for second in evening)]))
    assert chart is not None
    assert len(chart.pauses) == 1
    assert chart.active == pytest.approx(120, abs=2 * chart.width)
    labels = [tick.label for tick in chart.ticks]
    assert labels[0].startswith("23:59")
    assert any("02 Mar" in label for label in labels)


def test_a_long_run_of_many_workers_is_counted_in_wider_bins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "MOST_BINS", 50)
    found = counted(list(range(0, 90_000, 100)), workers=4)
    assert len(found.bins) <= 50
    assert found.bins.total() == 900
    chart = chart_of(found)
    assert chart is not None
    assert chart.total == 900


def test_batches_that_come_now_and_then_are_no_pauses() -> None:
    chart = chart_of(counted([second for second in range(0, 120, 15) for _ in range(4)]))
    assert chart is not None
    assert chart.pauses == []
    assert len(chart.starts) <= 16
    assert chart.active == pytest.approx(105, abs=chart.width)


@pytest.mark.parametrize("span", [0, 10**6, 10**9])
def test_any_span_fits(span: int) -> None:
    chart = chart_of(counted([0, span // 3, span]))
    assert chart is not None
    assert chart.total == 3


def test_rows_that_do_not_say_are_counted_apart() -> None:
    found = Pace()
    found.add([None, "w"], [BEGAN, None])
    assert found.untold == 2
    assert chart_of(found) is None
