"""What the plots of a plan are drawn from."""

from __future__ import annotations

import numpy as np

from adabldm.core import trimap
from jobs.sheets import spread_plots


def test_size_and_position_are_shares_of_the_picture() -> None:
    marks = np.full((10, 20), trimap.OBJECT, np.uint8)
    marks[4:6, 5:15] = trimap.DEFECT
    assert spread_plots.spread(marks) == (10.0, 0.5, 0.5)


def test_in_the_plots_the_rarest_types_share_a_name() -> None:
    figures = {f"bar, type {number}": np.zeros((20 - number, 3)) for number in range(12)}
    named = spread_plots.legend(figures)
    assert len(named) == spread_plots.TYPES_SHOWN + 1
    assert next(iter(named)) == "bar, type 0 (20)"
    assert list(named)[-1] == "2 further types (19)"
    assert sum(map(len, named.values())) == sum(map(len, figures.values()))
