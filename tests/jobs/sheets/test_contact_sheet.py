"""The contact sheet shows what the index says is there, or says what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from PIL import Image

from adabldm.core import images
from adabldm.core.faults import InputFault, JobFault
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.storage.location import location
from jobs.sheets.contact_sheet import AMPLIFIED, SIDE, contact_sheet, pair_grid, sample
from jobs.sheets.picture_grid import TITLE

SIZE = 32


def write(path: Path, pixels: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.encode_png(pixels))
    return str(path)


def run(root: Path, count: int, *, keep: tuple[str, ...] = ("source", "trimap")) -> Path:
    """An output of ``count`` pairs; the defect of each is 20 brighter than the good image."""
    rows = []
    for index in range(count):
        name = f"r{index:03d}"
        good = np.full((SIZE, SIZE, 3), 90, np.uint8)
        defect = np.full((SIZE, SIZE), 127, np.uint8)
        defect[8:24, 8:24] = 255
        made = good + np.uint8(20) * (defect == 255)[..., None]
        write(root / f"nut/test/crack/{name}.png", made.astype(np.uint8))
        for part, pixels in (("source", good), ("trimap", defect)):
            write(root / f"extras/{name}_{part}.png", pixels)
        rows.append(
            {
                "request_id": name,
                "object": "nut",
                "defect": "crack",
                "status": "ok",
                "image": f"nut/test/crack/{name}.png",
                "extras": [{"name": part, "path": f"extras/{name}_{part}.png"} for part in keep],
            }
        )
    rows.append({"request_id": "zz", "object": "nut", "defect": "crack", "status": "failed"})
    write_deltalake(str(root / "index"), pa.Table.from_pylist(rows, INDEX))
    return root


def test_a_group_shows_good_image_trimap_result_and_amplified_difference(tmp_path: Path) -> None:
    png = tmp_path / "sheets" / "sheet.png"
    assert contact_sheet(str(run(tmp_path / "out", 1)), png) == 1
    sheet = np.asarray(Image.open(png))
    grid = pair_grid([{"object": "nut", "defect": "crack", "request_id": "r000"}], [[sheet] * 4])
    corners = [grid.corner(0, column) for column in range(4)]
    half = SIDE // 2
    seen = [int(sheet[TITLE + top + half, left + half, 0]) for left, top in corners]
    assert seen == [90, 255, 110, 20 * AMPLIFIED]
    seen = [int(sheet[TITLE + top + 4, left + 4, 0]) for left, top in corners]
    assert seen == [90, 127, 90, 0]


@pytest.mark.parametrize("count", [2, 7])
def test_a_large_run_is_sampled_the_same_way_each_time(tmp_path: Path, count: int) -> None:
    out = run(tmp_path / "out", count)
    first, second = tmp_path / "1.png", tmp_path / "2.png"
    assert contact_sheet(str(out), first, limit=4) == min(4, count)
    contact_sheet(str(out), second, limit=4)
    assert first.read_bytes() == second.read_bytes()


def test_a_run_that_kept_no_extras_is_told_how_to_keep_them(tmp_path: Path) -> None:
    out = run(tmp_path / "out", 2, keep=("source",))
    with pytest.raises(InputFault, match="--keep source,trimap"):
        contact_sheet(str(out), tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize("pairs", [None, 0])
def test_an_output_without_pairs_is_named(tmp_path: Path, pairs: int | None) -> None:
    if pairs is not None:
        run(tmp_path / "out", pairs)
    with pytest.raises(InputFault, match="has an index with pairs"):
        contact_sheet(str(tmp_path / "out"), tmp_path / "sheet.png")


def test_a_lost_picture_is_named(tmp_path: Path) -> None:
    out = run(tmp_path / "out", 3)
    (out / "extras/r001_source.png").unlink()
    with pytest.raises(JobFault, match=r"r001: a picture .* is lost"):
        contact_sheet(str(out), tmp_path / "sheet.png")


def test_pairs_are_shown_type_by_type(tmp_path: Path) -> None:
    out = run(tmp_path / "out", 6)
    table = DeltaTable(str(out / "index")).to_pyarrow_table().to_pylist()
    for row in table:
        row["defect"] = ("crack", "bent")[int(row["request_id"][-1:] in "135")]
    write_deltalake(str(out / "index"), pa.Table.from_pylist(table, INDEX), mode="overwrite")
    rows = sample(Ledger(location("OUTPUT", str(out))), 64)
    assert [row["defect"] for row in rows] == ["bent"] * 3 + ["crack"] * 3
    assert [row["request_id"] for row in rows] == ["r001", "r003", "r005", "r000", "r002", "r004"]
