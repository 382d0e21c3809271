"""Figures of the embedded model against real defects that it never saw."""

from __future__ import annotations

import json

import pytest

from jobs.embedded_model import measure

pytest.importorskip("efficientnet_lite_pytorch")


@pytest.mark.shared
def test_embedded_model(shared, tmp_path, capsys):
    with capsys.disabled():
        print()
        measure.main(
            data=[str(shared / "data" / "mt_dev")],
            count=24,
            sheets=tmp_path,
            json_path=tmp_path / "figures.json",
            noun=["mt_dev=magnetic tile"],
        )
    assert (tmp_path / "mt_dev_pairs.png").exists()
    assert json.loads((tmp_path / "figures.json").read_text())["objects"]
