"""``exact`` beside ``fast``; unseen real tiles where they are, drawn surfaces elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.bench import method
from tests.conftest import ROOT


def test_exact_beside_fast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiles = ROOT.parent / "shared" / "data" / "mt_dev"
    with capsys.disabled():
        print()
        method.main(
            data=str(tiles) if tiles.is_dir() else None,
            model=None,
            count=4,
            frontier_count=4,
            sheet=tmp_path / "sheet.png",
            plot=tmp_path / "frontier.png",
        )
    assert (tmp_path / "sheet.png").exists()
    assert (tmp_path / "frontier.png").exists()
