"""Every example runs as its docstring says and leaves what it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from PIL import Image

from cluster.output.schema import INDEX
from tests.conftest import ROOT
from tests.support.making import index_of

EXAMPLES = ROOT / "examples"
TESTED = {"quickstart.py", "own_data.py", "branch.py", "read_index.py"}


def run(name: str, *words: object, at: Path) -> str:
    """Run an example in the folder ``at``, as a program; what it printed."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, words)],
        cwd=at,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_no_example_is_left_untested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.*")} == TESTED


@pytest.mark.slow
def test_quickstart_changes_the_picture_under_its_mask_and_hardly_elsewhere(
    tmp_path: Path,
) -> None:
    assert "the defect changed by" in run("quickstart.py", "out", at=tmp_path)
    good, image, mask = (pixels(tmp_path / f"out/{n}.png") for n in ("good", "image", "mask"))
    change = np.abs(image.astype(float) - good).mean(axis=2)
    assert change[mask > 0].mean() > 4 * change[mask == 0].mean()


@pytest.mark.slow
def test_read_index_tells_of_what_was_made_and_of_what_failed(tmp_path: Path) -> None:
    rows = [
        {
            "request_id": f"r{number}",
            "object": "metal",
            "defect": "crack",
            "status": "failed" if number == 3 else "ok",
            "reason": "the picture is cut short" if number == 3 else None,
            "quality": [("defect_change", 10.0 + number), ("background_psnr_db", 43.0)],
            "seconds": [("sample", 1.5), ("store", 0.25)],
        }
        for number in range(4)
    ]
    write_deltalake(tmp_path / "pairs/index", pa.Table.from_pylist(rows, schema=INDEX))
    told = run("read_index.py", "pairs", at=tmp_path)
    for wanted in ("the picture is cut short", "sample", "1.50", "r0", "10.0"):
        assert wanted in told
    assert told.index("r0") < told.index("r1") < told.index("r2")


@pytest.mark.ray
def test_own_data_ends_with_verified_pairs_and_a_sheet(tmp_path: Path) -> None:
    told = run("own_data.py", "out", "--count", 2, at=tmp_path)
    assert "all as they should be" in told
    assert {row["status"] for row in index_of(tmp_path / "out/pairs")} <= {"ok", "rejected"}
    assert min(Image.open(tmp_path / "out/pairs.png").size) > 100


@pytest.mark.ray
def test_branch_leaves_a_branch_and_a_picture_made_with_it(tmp_path: Path) -> None:
    run("branch.py", "out", "--steps", 2, at=tmp_path)
    card = json.loads((tmp_path / "out/branch/branch.json").read_text())
    assert (card["form"], card["defects"]) == ("low-rank", ["crack"])
    assert card["training"]["steps"] == 2
    assert pixels(tmp_path / "out/image.png").shape == (128, 128, 3)
