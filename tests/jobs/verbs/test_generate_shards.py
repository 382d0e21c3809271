"""An output whose files are spread over folders is read by every verb, and stays so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from jobs.verbs import export, generate, report, verify
from tests.support.making import index_of, write_manifest


def test_every_reader_finds_the_files_and_the_number_is_bound(
    ray_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, output = str(write_manifest(tmp_path / "in", 8)), tmp_path / "out"
    words = {"manifest": manifest, "model": "sleep://0", "output": str(output)}
    generate.main(**words, gpus_per_worker=0, keep="source", shards=4, log_json=True)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "{" in line]
    assert {one["request_id"] for one in told if one["event"] == "ok"} == {
        f"r{number:04d}" for number in range(8)
    }
    assert {"worker started", "committed", "finished"} <= {one["event"] for one in told}
    folders = {row["image"].split("/")[3] for row in index_of(output)}
    assert folders <= {"0", "1", "2", "3"}
    assert len(folders) > 1
    verify.main(str(output))
    assert "8 rows, all as they should be" in capsys.readouterr().out
    export.main(str(output), "mvtec", str(tmp_path / "mvtec"))
    assert "exported 8 pairs" in capsys.readouterr().out
    page, _ = report.write_report(str(output), str(tmp_path / "page.html"))
    assert page.thumbnails == 8
    generate.main(**words, gpus_per_worker=0, keep="source")
    assert "made 0 pairs, 8 were there" in capsys.readouterr().out
    with pytest.raises(InputFault, match=r"shards: 8: .* was made with 4; use the same"):
        generate.main(**words, gpus_per_worker=0, keep="source", shards=8)
