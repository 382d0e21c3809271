"""How a rate is told."""

from __future__ import annotations

import pytest

from jobs.progress import per_second


@pytest.mark.parametrize(
    ("rate", "told"),
    [(0.26, "0.26/s"), (5.0, "5/s"), (99.5, "99.5/s"), (100.4, "100/s"), (83_333.3, "83333/s")],
)
def test_slow_rates_are_not_told_as_none(rate: float, told: str) -> None:
    assert per_second(rate) == told
