"""A small file stays small in memory, or is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adabldm.core.faults import InputFault
from cluster.manifest import bounds
from cluster.manifest.bounds import MAX_TEXT_BYTES, rows_together
from cluster.manifest.reader import Manifest
from tests.support.making import Row, good_png, rows_of, write_manifest


@pytest.mark.parametrize("column", ["prompt", "negative_prompt", "object", "note"])
def test_a_text_that_is_stored_once_and_meant_often_is_refused_before_it_is_many(
    column: str, tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, 400)
    table = pq.read_table(path)
    bomb = pa.array(["x" * 2_600_000] * 400)
    table = table.set_column(table.schema.get_field_index(column), column, bomb)
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 50_000
    before = pa.total_allocated_bytes()
    with pytest.raises(InputFault, match=f"column '{column}': a text of 2600000 bytes, at most"):
        list(Manifest(str(path)).chunks())
    assert pa.total_allocated_bytes() - before < 50_000_000


def test_texts_come_as_they_are(tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[1]["prompt"] = "y" * MAX_TEXT_BYTES
        rows[2]["prompt"] = ""

    path = write_manifest(tmp_path, 700, change)
    rows = [row for _, chunk in Manifest(str(path)).chunks() for row in chunk]
    assert [row["request_id"] for row in rows] == [row["request_id"] for row in rows_of(700)]
    assert (rows[1]["prompt"], rows[2]["prompt"]) == ("y" * MAX_TEXT_BYTES, "")
    assert rows[0]["negative_prompt"] is None
    assert rows[699]["note"] == "note 699"


def test_of_pictures_in_the_rows_only_as_many_are_read_as_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inside(rows: list[Row]) -> None:
        for row in rows:
            row["image"] = {"bytes": good_png(0)}

    path = write_manifest(tmp_path, 100, inside)
    monkeypatch.setattr(bounds, "BYTES_TOGETHER", 20 * len(good_png(0)))
    chunks = list(Manifest(str(path)).chunks())
    assert sum(len(rows) for _, rows in chunks) == 100
    assert max(len(rows) for _, rows in chunks) <= 20


def test_lists_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"a": pa.array([[1] * 50] * 4)})
    pq.write_table(table, tmp_path / "a.parquet")
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    assert rows_together(metadata, 512) == 512
    monkeypatch.setattr(bounds, "MAX_VALUES", 40)
    with pytest.raises(ValueError, match="50 values a row, at most 40 are read"):
        rows_together(metadata, 512)


@pytest.mark.parametrize("place", ["image", "placement"])
def test_a_picture_that_is_stored_once_and_meant_often_is_not_many_at_once(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the footer says: it is not asked."""
    picture = bytes(200_000)

    def inside(rows: list[Row]) -> None:
        for row in rows:
            if place == "image":
                row["image"] = {"bytes": picture}
            elif row["placement"]:
                row["placement"]["mask"] = {"bytes": picture}

    path = write_manifest(tmp_path, 300, inside)
    pq.write_table(pq.read_table(path), path, compression="zstd", row_group_size=200)
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(bounds, "BYTES_TOGETHER", 1_000_000)
    monkeypatch.setattr("cluster.manifest.reader.rows_together", lambda *_: 512)
    before, most, count = pa.total_allocated_bytes(), 0, 0
    for _, rows in Manifest(str(path)).chunks():
        most = max(most, pa.total_allocated_bytes() - before)
        count += len(rows)
    assert count == 300
    assert most < 10_000_000


def test_a_picture_larger_than_any_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_FILE_BYTES", 1000)

    def inside(rows: list[Row]) -> None:
        rows[3]["image"] = {"bytes": bytes(1001)}

    with pytest.raises(InputFault, match="column 'image': a picture of 1001 bytes, at most 1000"):
        list(Manifest(str(write_manifest(tmp_path, 6, inside))).chunks())


def test_rows_that_nobody_wants_are_passed_over_and_the_others_keep_their_numbers(
    tmp_path: Path,
) -> None:
    path = write_manifest(tmp_path, 2000)
    pq.write_table(pq.read_table(path), path, row_group_size=700)
    wanted = {1399, 1400}
    found = Manifest(str(path)).chunks(lambda start, stop: any(start <= n < stop for n in wanted))
    rows = [(number, row) for start, some in found for number, row in enumerate(some, start)]
    assert wanted <= {number for number, _ in rows}
    assert len(rows) < 1100
    assert all(row["seed"] == number for number, row in rows)
