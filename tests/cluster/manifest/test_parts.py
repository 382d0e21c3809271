"""A manifest that is a folder: every row is read, or one line names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adabldm.core.faults import InputFault
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from tests.support.making import checks_of, rows_of

Row = dict[str, Any]


def table_of(count: int, first: int = 0, without: tuple[str, ...] = ()) -> pa.Table:
    rows = rows_of(first + count)[first:]
    for row in rows:
        row["placement"], row["trimap"] = None, {"path": "files/trimap0.png"}
    return pa.Table.from_pylist(rows).drop_columns(["placement", "model", *without])


def write(folder: Path, **tables: pa.Table) -> Path:
    """Each table under its name, in which ``__`` stands for a slash and ``_is_`` for ``=``."""
    for name, table in tables.items():
        file = folder / (name.replace("__", "/").replace("_is_", "=") + ".parquet")
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file)
    return folder


def rows(folder: Path) -> list[Row]:
    manifest = Manifest(str(folder))
    found = [row for _, chunk in manifest.chunks() for row in chunk]
    assert len(found) == manifest.rows
    return found


def refusal(folder: Path) -> str:
    with pytest.raises(InputFault) as refused:
        rows(folder)
    (line,) = refused.value.lines
    return line


@pytest.mark.parametrize("name", ["a.parquet", "b.PARQUET", "c.parq", "d.pq", "x/y/z.Parquet"])
def test_a_part_is_read_whatever_its_suffix_and_its_depth(name: str, tmp_path: Path) -> None:
    write(tmp_path, first=table_of(2))
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table_of(3, 2), tmp_path / name)
    assert {row["request_id"] for row in rows(tmp_path)} == {f"r000{i}" for i in range(5)}


@pytest.mark.parametrize("name", ["part-00000", "a.parquet.gz", "a.parquet.bak", "a.snappy", "b.x"])
def test_what_seems_to_be_a_part_and_is_not_read_is_refused(name: str, tmp_path: Path) -> None:
    write(tmp_path, first=table_of(2))
    pq.write_table(table_of(3, 2), tmp_path / name)
    line = refusal(tmp_path)
    assert str(tmp_path / name) in line
    assert "a part's name ends in .parquet, .parq, .pq" in line


def test_files_read_and_files_named_are_all_there_are(tmp_path: Path) -> None:
    write(tmp_path, first=table_of(2), _temporary__0__part=table_of(1, 2))
    for name in ("_SUCCESS", ".part.crc", "rows.csv", "notes", "p/1.png", "p/2.JPG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (line,) = Manifest(str(tmp_path)).remarks
    assert "1 files read; left out: " in line
    for told in (
        "1 .csv files (rows.csv)",
        "1 files without a suffix (notes)",
        "3 hidden (.part.crc, _SUCCESS, _temporary/0/part.parquet)",
        "2 pictures",
    ):
        assert told in line


@pytest.mark.parametrize("folder", ["", "mine/plans/"])
def test_what_a_plan_keeps_beside_its_manifest_is_no_remark(folder: str, tmp_path: Path) -> None:
    here = tmp_path / folder
    write(here, manifest=table_of(2))
    own = ("manifest_files/1.png", "manifest_files/2.jpg", "_manifest_real_defects.parquet")
    for name in own:
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_bytes(b"x")
    assert list(Manifest(str(tmp_path)).remarks) == []
    (here / "other_files").mkdir()
    (here / "other_files/1.png").write_bytes(b"x")
    (line,) = Manifest(str(tmp_path)).remarks
    assert line.endswith("left out: 1 pictures")


@pytest.mark.parametrize("marker", ["_delta_log/0.json", "x/_spark_metadata/0", ".hoodie/h"])
def test_a_table_whose_files_do_not_say_its_rows_is_refused(marker: str, tmp_path: Path) -> None:
    write(tmp_path, first=table_of(2))
    (tmp_path / marker).parent.mkdir(parents=True)
    (tmp_path / marker).write_bytes(b"{}")
    assert "write its rows as plain Parquet files" in refusal(tmp_path)


def test_an_output_inside_the_manifest_s_folder_is_no_part_of_it(tmp_path: Path) -> None:
    write(tmp_path, first=table_of(2), out__index__part=table_of(1))
    (tmp_path / "out/run.json").write_bytes(b"{}")
    (tmp_path / "out/index/_delta_log").mkdir()
    (tmp_path / "out/index/_delta_log/0.json").write_bytes(b"{}")
    assert len(rows(tmp_path)) == 2
    assert "2 of an output's index" in Manifest(str(tmp_path)).remarks[0]


def test_a_link_to_a_folder_is_named_and_one_that_would_be_a_part_is_refused(
    tmp_path: Path,
) -> None:
    elsewhere = write(tmp_path / "elsewhere", part=table_of(1, 2))
    folder = write(tmp_path / "in", first=table_of(2))
    (folder / "pics").symlink_to(elsewhere)
    assert "1 linked folders (pics)" in Manifest(str(folder)).remarks[0]
    (folder / "kind=hole").symlink_to(elsewhere)
    assert "kind=hole" in refusal(folder)


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n"])
def test_a_folder_without_a_part_or_with_a_broken_one_is_refused(
    content: bytes | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "a.parquet").write_bytes(content)
    line = refusal(tmp_path)
    assert ("not a Parquet file" if content is not None else "no Parquet file in") in line


def test_folders_of_values_are_columns_of_their_rows(tmp_path: Path) -> None:
    for number, folder in enumerate(
        ("kind=hole/lot=007", "kind=__HIVE_DEFAULT_PARTITION__/_lot=8", ".", "kind=a%20b/lot=9")
    ):
        write(tmp_path / folder, a=table_of(1, number))
    found = {row["request_id"]: (row["kind"], row["lot"], row["_lot"]) for row in rows(tmp_path)}
    assert found == {
        "r0000": ("hole", "007", None),
        "r0001": (None, None, "8"),
        "r0002": (None, None, None),
        "r0003": ("a b", "9", None),
    }
    assert Manifest(str(tmp_path)).riding.names == ["_lot", "kind", "lot"]


def test_a_folder_s_value_may_be_one_of_the_schema_s_columns(tmp_path: Path) -> None:
    write(tmp_path, defect_is_dent__seed_is_7__a=table_of(2, without=("defect", "seed")))
    assert [(row["defect"], row["seed"]) for row in rows(tmp_path)] == [("dent", 7)] * 2
    write(tmp_path, defect_is_dent__seed_is_x__a=table_of(2, without=("defect", "seed")))
    assert "column 'seed': 'x' in its path is no int64" in refusal(tmp_path)


def test_a_folder_s_value_must_agree_with_the_file_s_column(tmp_path: Path) -> None:
    lots = table_of(2).append_column("lot", pa.array([3, 3], pa.int32()))
    write(tmp_path, lot_is_3__a=lots)
    assert [row["lot"] for row in rows(tmp_path)] == [3, 3]
    write(tmp_path, lot_is_4__a=lots)
    line = refusal(tmp_path)
    assert "lot=4/a.parquet" in line
    assert "column 'lot': is not '4', as its path says" in line


def test_a_fault_of_a_row_names_its_part(tmp_path: Path) -> None:
    write(tmp_path, a=table_of(2), b__c=table_of(2, 1))
    manifest = Manifest(str(tmp_path))
    with pytest.raises(InputFault) as refused:
        validate(manifest, checks_of(manifest))
    lines = [line for line in refused.value.lines if "unique" in line]
    assert lines == [
        "row 2 (request_id 'r0001', row 0 of b/c.parquet): request_id: 'r0001': must be unique, "
        "row 1 has it too"
    ]


HARMLESS: list[tuple[pa.Array, pa.Array, list[object]]] = [
    (pa.nulls(1), pa.array(["x"]), [None, "x"]),
    (pa.array(["x"]), pa.nulls(1), ["x", None]),
    (pa.nulls(1, pa.float64()), pa.array(["x"]), [None, "x"]),
    (pa.array([3]), pa.nulls(1, pa.string()), [3, None]),
    (pa.array(["x"], pa.large_string()), pa.array(["y"]).dictionary_encode(), ["x", "y"]),
    (pa.array([1], pa.int32()), pa.array([2**40]), [1, 2**40]),
    (pa.array([1], pa.uint32()), pa.array([2], pa.int8()), [1, 2]),
    (pa.array([1]), pa.array([0.5]), [1.0, 0.5]),
    (pa.array([[]], pa.list_(pa.null())), pa.array([["a"]]), [[], ["a"]]),
]


@pytest.mark.parametrize(("one", "other", "expected"), HARMLESS, ids=str)
def test_parts_that_differ_harmlessly_are_one(
    one: pa.Array, other: pa.Array, expected: list[object], tmp_path: Path
) -> None:
    parts = (table_of(1).append_column("note", one), table_of(1, 1).append_column("note", other))
    write(tmp_path, a=parts[0], b=parts[1])
    assert [row["note"] for row in rows(tmp_path)] == expected
    kind = Manifest(str(tmp_path)).riding.field("note").type
    assert pa.array(expected, kind).to_pylist() == expected


def test_decimals_of_parts_are_as_wide_as_the_widest(tmp_path: Path) -> None:
    narrow = pa.array([1.5]).cast(pa.decimal128(17, 1)).cast(pa.decimal128(2, 1))
    write(
        tmp_path,
        a=table_of(1).append_column("area", narrow),
        b=table_of(1, 1).append_column("area", pa.array([2**40]).cast(pa.decimal128(19, 0))),
    )
    assert [float(row["area"]) for row in rows(tmp_path)] == [1.5, 2.0**40]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (pa.array([7]), "column 'note' is int64, it is string in "),
        (None, "column 'note' is missing, "),
        (pa.array([{"a": 1}]), "column 'note' is struct<a: int64>: only plain values"),
    ],
)
def test_parts_that_differ_are_refused_with_file_and_column(
    other: pa.Array | None, expected: str, tmp_path: Path
) -> None:
    more = table_of(1, 1)
    more = more if other is None else more.append_column("note", other)
    write(tmp_path, a=table_of(1).append_column("note", pa.array(["x"])), b=more)
    line = refusal(tmp_path)
    assert "b.parquet" in line
    assert expected in line


def test_the_order_of_columns_and_nullability_do_not_matter(tmp_path: Path) -> None:
    first, more = table_of(1), table_of(1, 1)
    more = more.select(list(reversed(more.column_names)))
    strict = [field.with_nullable(field.name == "negative_prompt") for field in more.schema]
    write(tmp_path, a=first, b=more.cast(pa.schema(strict)))
    assert [row["request_id"] for row in rows(tmp_path)] == ["r0000", "r0001"]
