"""The timeline of nodes and workers, told in a line and drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.bench.autoscaling import Sample, draw, summary

TIMELINE = [
    Sample(0.0, 0, 0, 0), Sample(5.0, 1, 0, 0), Sample(8.0, 2, 1, 0), Sample(12.0, 2, 2, 6),
    Sample(60.0, 2, 0, 160), Sample(120.0, 1, 0, 160), Sample(121.0, 0, 0, 160),
    Sample(131.0, 0, 0, 160),
]  # fmt: skip


def test_the_line_says_when_nodes_came_and_went() -> None:
    assert summary(TIMELINE) == (
        "0 -> 2 -> 0 nodes: 2 there after 8 s, first row committed after 12 s, all 160 after 60 s, "
        "the last node gone after 121 s; at most 2 workers"
    )


@pytest.mark.parametrize("until", [1, 3, 5])
def test_a_timeline_that_was_cut_off_is_told_and_drawn_as_far_as_it_went(
    until: int, tmp_path: Path
) -> None:
    line = summary(TIMELINE[:until])
    assert line.startswith(f"0 -> {max(one.nodes for one in TIMELINE[:until])} -> ")
    draw(TIMELINE[:until], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
