"""The frontier is drawn, whatever its points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.bench.frontier_plot import DOTS_PER_INCH, PANEL, Point, draw_frontier


def point(family: str, work: float, value: float, label: str = "") -> Point:
    return Point(family=family, name=family, work=work, values=(value, value + 1), label=label)


def drawn(points: list[Point], path: Path) -> np.ndarray:
    draw_frontier(points, ("PSNR, dB", "seam, grey levels"), path)
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize("work", [0.0, 0.01, 100.0])
def test_points_with_and_without_work_are_drawn(work: float, tmp_path: Path) -> None:
    path = tmp_path / "sub" / "plot.png"
    sheet = drawn([point("none", work, 30.0), point("trained", 2.0, 40.0, "exact")], path)
    assert sheet.shape[1] == round(2 * PANEL[0] * DOTS_PER_INCH)
    assert (sheet != 255).any(axis=2).mean() > 0.01


def test_a_label_is_written(tmp_path: Path) -> None:
    with_label, without = (
        drawn([point("trained", 2.0, 40.0, label)], tmp_path / f"plot{label}.png")
        for label in ("exact", "")
    )
    assert (with_label != without).any()
