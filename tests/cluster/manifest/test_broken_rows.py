"""Rows that cannot be what the file says are refused in a line, none is left out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adabldm.core.faults import InputFault
from cluster.manifest.reader import Manifest
from tests.support.making import write_manifest


def test_a_date_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, 2)
    table = pq.read_table(path).append_column("day", pa.array([10**7] * 2, pa.date32()))
    pq.write_table(table, path)
    with pytest.raises(
        InputFault, match=r"\Arow 0 [^\n]*column .day.: a value is no date32[^\n]*\Z"
    ):
        list(Manifest(str(path)).chunks())


def test_a_file_with_other_rows_than_it_says_is_refused(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, 5)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    found = 0
    for at in range(footer, footer + 4000):
        if at >= len(whole) - 8 or whole[at] != 10:  # 5 rows, as Thrift writes them
            continue
        path.write_bytes(whole[:at] + b"\x08" + whole[at + 1 :])
        try:
            manifest = Manifest(str(path))
        except InputFault:
            continue
        try:
            rows = sum(len(some) for _, some in manifest.chunks())
        except InputFault as fault:
            found += "it says" in str(fault)
        else:
            assert rows == manifest.rows
    assert found
