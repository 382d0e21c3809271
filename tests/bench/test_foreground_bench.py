"""How well objects are found in real pictures, against outlines drawn by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.bench import foreground_outlines

OUTLINES = Path(__file__).parents[1] / "support" / "foreground_outlines.json"


@pytest.mark.shared
def test_foreground(shared, tmp_path, capsys):
    with capsys.disabled():
        foreground_outlines.main(data=shared / "data", outlines=OUTLINES, overlays=tmp_path)
    assert any(tmp_path.iterdir())
