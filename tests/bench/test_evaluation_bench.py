"""What scoring a detector's maps takes. Prints; asserts no times."""

from __future__ import annotations

import pytest

from jobs.bench import evaluation_scale


def test_maps_by_the_hundred(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print()
        evaluation_scale.main(maps=300)
