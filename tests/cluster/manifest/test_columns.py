"""Columns as pandas, polars, DuckDB and others write them: read as meant, or refused by name."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adabldm.core.faults import InputFault
from cluster.generate.index_columns import index_schema
from cluster.manifest import columns
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from cluster.output.index import Ledger
from cluster.storage.location import Location
from tests.support.making import checks_of, rows_of, write_manifest

Row = dict[str, Any]
UTC = datetime.UTC


def with_column(folder: Path, name: str, column: pa.Array | None, count: int = 3) -> Path:
    """A manifest whose column ``name`` is this one, or is not there."""
    path = write_manifest(folder, count)
    table = pq.read_table(path)
    if name in table.column_names:
        table = table.drop_columns([name])
    pq.write_table(table if column is None else table.append_column(name, column), path)
    return path


def read(path: Path) -> list[Row]:
    return [row for _, chunk in Manifest(str(path)).chunks() for row in chunk]


def refusal(path: Path, output: Path) -> str:
    """The one line with which the manifest is refused, columns and rows."""

    def check() -> None:
        manifest = Manifest(str(path))
        index_schema(manifest, Ledger(Location.of(str(output))))
        validate(manifest, checks_of(manifest)).close()

    with pytest.raises(InputFault) as refused:
        check()
    (line,) = refused.value.lines
    return line


TEXT = ["a", "b", "a"]
TEXTS = {
    "large": pa.array(TEXT, pa.large_string()),
    "view": pa.array(TEXT).cast(pa.string_view()),
    "categories": pa.array(TEXT).dictionary_encode(),
    "large categories": pa.array(TEXT, pa.large_string()).dictionary_encode(),
}


@pytest.mark.parametrize("name", ["object", "defect", "prompt", "note"])
@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_is_one_however_it_is_kept(name: str, kind: str, tmp_path: Path) -> None:
    assert [row[name] for row in read(with_column(tmp_path, name, TEXTS[kind]))] == TEXT


PATHS = [f"files/good{number}.png" for number in range(3)]
PICTURES = {
    "path": pa.array(PATHS),
    "large path": pa.array(PATHS, pa.large_string()),
    "categories": pa.array(PATHS).dictionary_encode(),
    "path alone": pa.array([{"path": path} for path in PATHS]),
    "bytes of no type": pa.StructArray.from_arrays(
        [pa.array(PATHS, pa.large_string()), pa.nulls(3)], ["path", "bytes"]
    ),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_is_a_path_however_it_is_written(kind: str, tmp_path: Path) -> None:
    manifest = Manifest(str(with_column(tmp_path, "image", PICTURES[kind])))
    rows = [row for _, chunk in manifest.chunks() for row in chunk]
    assert [row["image"] for row in rows] == [{"bytes": None, "path": path} for path in PATHS]
    roster = validate(manifest, checks_of(manifest))
    assert roster.count() == 3
    roster.close()


def test_a_picture_may_be_its_bytes(tmp_path: Path) -> None:
    column = pa.array([b"1", None, b"3"], pa.large_binary())
    found = [row["image"] for row in read(with_column(tmp_path, "image", column))]
    assert found == [{"bytes": b"1", "path": None}, None, {"bytes": b"3", "path": None}]


def test_a_recipe_is_the_same_with_fields_left_out_and_decimals(tmp_path: Path) -> None:
    mask = pa.array(["files/mask.png"] * 3)
    one = {"angle": Decimal("30.0"), "scale": Decimal("1.1"), "top": 3, "left": 5}
    parts = [mask, *(pa.array([value] * 3) for value in one.values())]
    column = pa.StructArray.from_arrays(parts, ["mask", *one], mask=pa.array([True, True, False]))
    path = with_column(tmp_path / "in", "placement", column)
    recipe = read(path)[2]["placement"]
    expected = {**rows_of(3)[2]["placement"], "mask": {"bytes": None, "path": "files/mask.png"}}
    assert recipe == {**expected, "look": None, "more": None}
    prints = checks_of(Manifest(str(path))).check(read(path)[2])
    assert prints == checks_of(Manifest(str(path))).check(rows_of(3)[2])


def test_further_defects_may_lack_fields_too(tmp_path: Path) -> None:
    part = {"mask": {"path": "m"}, "angle": 1.0, "scale": 1.0, "top": 1, "left": 2}
    kept = [None, {**part, "more": None}, {**part, "more": [part, part]}]
    full = {**part, "mask": {"bytes": None, "path": "m"}, "look": None}
    found = [row["placement"] for row in read(with_column(tmp_path, "placement", pa.array(kept)))]
    assert found[0] is None
    assert found[1] == {**full, "foreground": None, "more": None}
    assert found[2] == {**full, "foreground": None, "more": [full, full]}


SEEDS = {
    "small": pa.array([0, 1, 2], pa.uint8()),
    "unsigned": pa.array([0, 1, 2], pa.uint64()),
    "floats": pa.array([0.0, 1.0, 2.0]),
    "decimals": pa.array([Decimal(0), Decimal(1), Decimal(2)]),
}


@pytest.mark.parametrize("kind", SEEDS)
def test_a_seed_is_a_whole_number_however_it_is_kept(kind: str, tmp_path: Path) -> None:
    seeds = [row["seed"] for row in read(with_column(tmp_path, "seed", SEEDS[kind]))]
    assert [(type(seed), seed) for seed in seeds] == [(int, 0), (int, 1), (int, 2)]


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (pa.array([0.0, None, 2.0]), "None"),
        (pa.array([0.0, np.nan, 2.0]), "nan"),
        (pa.array([0.0, 0.5, 2.0]), "0.5"),
        (pa.array([0.0, 2.0**60, 2.0]), "1.152921504606847e+18"),
        (pa.array([0, 2**63, 2], pa.uint64()), str(2**63)),
    ],
    ids=str,
)
def test_a_seed_that_is_no_whole_number_is_a_fault_of_its_row(
    column: pa.Array, shown: str, tmp_path: Path
) -> None:
    line = refusal(with_column(tmp_path / "in", "seed", column), tmp_path / "out")
    assert line == f"row 1 (request_id 'r0001'): seed: {shown}: must be a 64-bit integer"


@pytest.mark.parametrize("name", ["negative_prompt", "model", "placement", "trimap"])
@pytest.mark.parametrize("kind", [pa.float64(), pa.int32(), pa.null()], ids=str)
def test_a_column_without_a_value_has_any_type(
    name: str, kind: pa.DataType, tmp_path: Path
) -> None:
    assert [row[name] for row in read(with_column(tmp_path, name, pa.nulls(3, kind)))] == [None] * 3


def test_the_row_labels_of_pandas_are_left_out_and_said(tmp_path: Path) -> None:
    path = with_column(tmp_path, "__index_level_0__", pa.array([7, 8, 9]))
    manifest = Manifest(str(path))
    assert manifest.riding.names == ["note"]
    assert "__index_level_0__" not in read(path)[0]
    (line,) = manifest.remarks
    assert "column __index_level_0__ is left out: pandas' row labels" in line


NOON = datetime.datetime(2026, 1, 2, 12)
RIDING = {
    "unsigned": pa.array([2**64 - 1], pa.uint64()),
    "decimal": pa.array([Decimal("1.50")]),
    "day": pa.array([datetime.date(2026, 1, 2)]).cast(pa.date64()),
    "local": pa.array([NOON.replace(tzinfo=UTC)], pa.timestamp("ns", "Europe/Berlin")),
    "plain time": pa.array([NOON], pa.timestamp("s")),
    "code": pa.array([b"ab"], pa.binary(2)),
    "box": pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
    "labels": pa.array([["a"]], pa.large_list(pa.large_string())),
    "view": pa.array(["a"]).cast(pa.string_view()),
    "defect area (mm2)": pa.array([1.5]),
    "a.b": pa.array([1]),
}


@pytest.mark.parametrize("name", RIDING)
def test_what_rides_along_comes_out_of_the_index_as_it_went_in(name: str, tmp_path: Path) -> None:
    path = with_column(tmp_path / "in", name, RIDING[name], 1)
    ledger = Ledger(Location.of(str(tmp_path / "out")))
    schema = index_schema(Manifest(str(path)), ledger)
    ledger.claim(schema)
    (row,) = read(path)
    ledger.append(pa.Table.from_pylist([{"request_id": "a", name: row[name]}], schema=schema))
    (batch,) = Ledger(Location.of(str(tmp_path / "out"))).read([name])
    (kept,) = batch.to_pylist()
    (value,) = RIDING[name].to_pylist()
    assert kept == {
        name: value.date() if isinstance(value, datetime.datetime) and name == "day" else value
    }


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "is map<string, int64"),
        (pa.array([datetime.time(3)]), "is time64[us]: only plain values"),
        (pa.array([datetime.timedelta(3)]), "is duration[us]: only plain values"),
        (pa.array([1], pa.timestamp("ns")), "a value is no timestamp[us]"),
        (pa.array([2**60], pa.timestamp("us")), "a value is no timestamp[us]"),
        (pa.array([Decimal(10) ** 50]), "is decimal256(51, 0): only plain values"),
    ],
    ids=str,
)
def test_what_cannot_ride_along_is_refused_by_file_and_column(
    column: pa.Array, expected: str, tmp_path: Path
) -> None:
    path = with_column(tmp_path / "in", "extra", column, 1)
    line = refusal(path, tmp_path / "out")
    assert str(path) in line
    assert "column 'extra'" in line
    assert expected in line


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Status", "is a name of the index's own (status)"),
        ("STATUS", "is a name of the index's own (status)"),
        ("Image_SHA256", "is a name of the index's own (image_sha256)"),
        ("quality", "is a name of the index's own (quality)"),
        ("mask", "is a name of the index's own (mask)"),
        ("Seed", "is to be spelled 'seed'"),
        ("TRIMAP", "is to be spelled 'trimap'"),
        ("Note", "is column 'note' in another spelling"),
        ("a\nb", "must have a name without control characters"),
        ("a\0b", "must have a name without control characters"),
        ("", "must have a name"),
    ],
)
def test_a_name_that_the_index_cannot_have_is_refused_by_file_and_column(
    name: str, expected: str, tmp_path: Path
) -> None:
    path = with_column(tmp_path / "in", name, pa.array(["x"] * 3))
    line = refusal(path, tmp_path / "out")
    assert str(path) in line
    assert f"column {name!r} {expected}" in line


def test_a_column_spelled_otherwise_than_in_the_index_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(Location.of(str(tmp_path / "out")))
    first = with_column(tmp_path / "a", "lot", pa.array([1, 2, 3]))
    ledger.claim(index_schema(Manifest(str(first)), ledger))
    path = with_column(tmp_path / "b", "Lot", pa.array([1, 2, 3]))
    assert "column 'Lot' is column 'lot' of the output's index" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize("kind", [pa.null(), pa.int8()], ids=str)
def test_a_column_that_the_index_has_wider_rides_along_as_it_is_there(
    kind: pa.DataType, tmp_path: Path
) -> None:
    ledger = Ledger(Location.of(str(tmp_path / "out")))
    first = with_column(tmp_path / "a", "lot", pa.array([1, 2, 3]))
    ledger.claim(index_schema(Manifest(str(first)), ledger))
    path = with_column(tmp_path / "b", "lot", pa.nulls(3, kind))
    assert index_schema(Manifest(str(path)), ledger).field("lot").type == pa.int64()


@pytest.mark.parametrize("kind", ["uuid", "json"])
def test_an_extension_type_is_refused_by_its_column(kind: str, tmp_path: Path) -> None:
    if kind == "uuid":
        column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16] * 3, pa.binary(16)))
    else:
        column = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"] * 3))
    line = refusal(with_column(tmp_path / "in", "extra", column), tmp_path / "out")
    assert f"column 'extra' is arrow.{kind}: columns are plain" in line


class _Broken:
    """A column's facts whose type is not the schema's; its figures would end the process."""

    physical_type = "FLOAT"

    @property
    def statistics(self) -> object:
        raise AssertionError("the figures of a broken column were asked for")


def test_the_figures_of_a_column_of_another_type_than_the_schemas_are_not_asked_for() -> None:
    column = SimpleNamespace(path="note", physical_type="BYTE_ARRAY")
    metadata = SimpleNamespace(
        num_columns=1,
        num_row_groups=1,
        schema=SimpleNamespace(column=lambda _: column),
        row_group=lambda _: SimpleNamespace(num_rows=1, column=lambda _: _Broken()),
    )
    assert not columns._holds_nothing(metadata, "note")  # type: ignore[arg-type]
