"""What scoring a detector's maps takes. Prints; asserts no times."""

from __future__ import annotations

import re

import pytest

from jobs.bench import evaluation_scale


def test_maps_by_the_hundred(capsys: pytest.CaptureFixture[str]) -> None:
    evaluation_scale.main(maps=300)
    told = capsys.readouterr().out
    with capsys.disabled():
        print(f"\n{told}")
    figures = re.search(r"largest error (\S+), pixel AP (\S+)", told)
    assert figures is not None
    assert 0 <= float(figures[1]) < float(figures[2]) <= 1
