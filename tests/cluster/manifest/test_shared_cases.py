"""Manifests that other programs wrote, and what becomes of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from cluster.generate.index_columns import index_schema
from cluster.manifest.reader import Manifest
from cluster.manifest.remarks import Remarks
from cluster.manifest.validation import validate
from cluster.output.index import Ledger
from cluster.storage.location import Location
from tests.support.making import checks_of

pytestmark = pytest.mark.shared

READ = {
    "pandas.parquet": 3,
    "pandas_nulls.parquet": 3,
    "pandas_strings.parquet": 3,
    "polars.parquet": 3,
    "polars2.parquet": 3,
    "polars3.parquet": 3,
    "duckdb2.parquet": 3,
    "duckdb3.parquet": 3,
    "hive_mixed": 6,
    "parts_null": 6,
    "parts_nullable": 6,
}
REFUSED = {
    "duckdb.parquet": "duckdb.parquet': column 'lot_uuid' is arrow.uuid: columns are plain",
    "pandas_Status.parquet": "pandas_Status.parquet': column 'Status' is a name of the index's",
    "pandas_int_id.parquet": "pandas_int_id.parquet': column 'request_id' is int64, it must be",
    "pandas_nan_seed.parquet": "row 2 (request_id 'r2'): seed: None: must be a 64-bit integer",
    "suffix": "row 6 (request_id 's0', row 0 of c.parq): request_id: 's0': must be unique",
}


def checked(path: Path, output: Path) -> int:
    """Rows of the manifest without a fault. Raises :class:`InputFault`."""
    manifest = Manifest(str(path))
    index_schema(manifest, Ledger(Location.of(str(output))))
    roster = validate(manifest, checks_of(manifest))
    rows = roster.count()
    roster.close()
    return rows


@pytest.mark.parametrize("name", READ)
def test_every_row_of_another_program_s_manifest_is_read(
    name: str, shared: Path, tmp_path: Path
) -> None:
    assert checked(shared / "cases/manifests" / name, tmp_path / "out") == READ[name]


@pytest.mark.parametrize("name", REFUSED)
def test_or_its_first_line_says_why_not(name: str, shared: Path, tmp_path: Path) -> None:
    with pytest.raises(InputFault) as refused:
        checked(shared / "cases/manifests" / name, tmp_path / "out")
    assert REFUSED[name] in refused.value.lines[0]


def test_a_folder_s_value_is_a_column_of_its_rows(shared: Path) -> None:
    manifest = Manifest(str(shared / "cases/manifests/hive_mixed"))
    kinds = {row["request_id"]: row["kind"] for _, chunk in manifest.chunks() for row in chunk}
    assert kinds == {
        **dict.fromkeys(("r0", "r1", "r2"), "hole"),
        "s0": None,
        "s1": None,
        "s2": None,
    }


def test_a_type_called_good_is_a_fault_of_its_rows(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(InputFault, match="defect: 'good': "):
        checked(shared / "cases/defect_good/manifest.parquet", tmp_path / "out")


def test_captions_that_the_model_cuts_are_said(shared: Path) -> None:
    manifest = Manifest(str(shared / "cases/long_prompt/manifest.parquet"))
    checks = checks_of(manifest, "embedded")
    remarks = Remarks(checks.models.of)
    validate(manifest, checks, remarks).close()
    assert remarks.lines()[0] == (
        "prompt: 2 of 5 are longer than the model's 32 tokens and are cut there: "
        "rows 0 ('cap_scratch'), 1 ('cap_blowhole')"
    )
