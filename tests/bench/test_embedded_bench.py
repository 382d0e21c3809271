"""Figures of the embedded model on real tiles that it never saw."""

from __future__ import annotations

import pytest

from jobs import measure_embedded


@pytest.mark.shared
def test_embedded_model(shared, tmp_path, capsys):
    with capsys.disabled():
        measure_embedded.main(
            data=str(shared / "data" / "mt_dev"), count=24, sheet=tmp_path / "pairs.png", threads=2
        )
    assert (tmp_path / "pairs.png").exists()
