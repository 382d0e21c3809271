"""``adabldm trimaps``: the sheet shows what the worker will render."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from adabldm.core import images, trimap
from adabldm.core.faults import InputFault
from adabldm.placement import transform
from cluster.manifest.reader import Manifest
from cluster.manifest.schema import SCHEMA
from jobs.sheets import trimap_sheet

SIDE = 40


def png(pixels: np.ndarray) -> dict:
    return {"bytes": images.encode_png(pixels), "path": None}


def row(number: int) -> dict:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[10:14, 10:20] = 255
    inside = np.zeros((SIDE, SIDE), np.uint8)
    inside[:, 5:35] = 255
    part = {"mask": png(mask), "angle": 30.0 * number, "scale": 1.0, "top": 8, "left": 9}
    return {
        "request_id": f"r{number:03d}",
        "object": "bar",
        "defect": ("dent", "scratch")[number % 2],
        "image": png(np.full((SIDE, SIDE, 3), 200, np.uint8)),
        "placement": {
            **part,
            "foreground": png(inside),
            "more": [{**part, "top": 24}] if number == 1 else None,
        },
        "prompt": "a bar",
        "seed": number,
    }


def write(path: Path, rows: list[dict]) -> str:
    import pyarrow as pa

    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    return str(path)


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    return write(tmp_path / "manifest.parquet", [row(number) for number in range(30)])


def test_a_sheet_is_drawn_and_the_same_again(manifest: str, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        assert trimap_sheet.trimap_sheet(manifest, tmp_path / name, 16, []) == 16
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_every_defect_of_a_recipe_is_opened_as_the_worker_renders_it(manifest: str) -> None:
    opened = trimap_sheet.Recipes(Manifest(manifest))
    one = row(1)
    image, marks = opened.open(one)
    assert image.shape == (SIDE, SIDE, 3)
    mask = images.decode(one["placement"]["mask"]["bytes"], "L")
    inside = images.decode(one["placement"]["foreground"]["bytes"], "L")
    parts = [(mask, transform.Placement(angle=30.0, scale=1.0, top=top, left=9)) for top in (8, 24)]
    expected = trimap.compose(transform.render_all(parts, SIDE, SIDE), inside)
    np.testing.assert_array_equal(marks, expected)


def test_the_background_is_dimmed_and_the_defect_red() -> None:
    marks = np.full((4, 4), trimap.OBJECT, np.uint8)
    marks[0], marks[1] = trimap.BACKGROUND, trimap.DEFECT
    shown = trimap_sheet.shaded(np.full((4, 4, 3), 100, np.uint8), marks)
    assert shown[0].max() < 60
    assert shown[1, 0, 0] > 2 * shown[1, 0, 1]
    assert (shown[2:] == 100).all()


def test_trimaps_are_shown_type_by_type_with_their_names() -> None:
    shown = [(row(number), np.zeros((SIDE, SIDE, 3), np.uint8)) for number in range(4)]
    labels = [group.label for group in trimap_sheet.trimap_grid(shown).groups]
    assert labels == [
        "bar, dent\nr000",
        "bar, dent\nr002",
        "bar, scratch\nr001",
        "bar, scratch\nr003",
    ]


def test_an_inline_trimap_is_shown_as_it_is(tmp_path: Path) -> None:
    marks = np.full((SIDE, SIDE), trimap.OBJECT, np.uint8)
    marks[:3] = trimap.DEFECT
    given = {**row(0), "placement": None, "trimap": png(marks)}
    manifest = write(tmp_path / "m.parquet", [given])
    _, opened = trimap_sheet.Recipes(Manifest(manifest)).open(given)
    np.testing.assert_array_equal(opened, marks)
    assert trimap_sheet.trimap_sheet(manifest, tmp_path / "sheet.png", 64, []) == 1
    assert Image.open(tmp_path / "sheet.png").size[0] > 0


def test_an_empty_manifest_and_a_lost_picture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFault, match="has a row"):
        trimap_sheet.trimap_sheet(write(tmp_path / "e.parquet", []), tmp_path / "s.png", 4, [])
    lost = {**row(0), "image": {"bytes": None, "path": "gone.png"}}
    with pytest.raises(InputFault, match="r000"):
        trimap_sheet.trimap_sheet(write(tmp_path / "l.parquet", [lost]), tmp_path / "s.png", 4, [])
