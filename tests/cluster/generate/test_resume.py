from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adabldm.core.faults import InputFault
from cluster.generate.index_columns import index_schema
from cluster.manifest.reader import Manifest
from cluster.output.index import Ledger
from cluster.output.run_json import RunBinding
from cluster.storage.location import Location
from tests.support.making import write_manifest

DAY = datetime.date(2026, 1, 2)
RIDING = {
    "tiny": pa.array([1], pa.int8()),
    "unsigned": pa.array([2**32 - 1], pa.uint32()),
    "half": pa.array([0.5], pa.float16()),
    "day": pa.array([DAY], pa.date32()),
    "when": pa.array([datetime.datetime(2026, 1, 2, 3)], pa.timestamp("ns")),
    "there": pa.array([datetime.datetime(2026, 1, 2, 3)], pa.timestamp("ms", "Europe/Berlin")),
    "labels": pa.array([["a", "b"]]),
    "kind": pa.array(["x"]).dictionary_encode(),
    "long": pa.array(["y"], pa.large_string()),
    "none": pa.array([None]),
    "a name with spaces": pa.array([True]),
}


@pytest.mark.parametrize("name", RIDING)
def test_a_plain_column_rides_along_to_the_index(name: str, tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "in", 1)
    pq.write_table(pq.read_table(path).append_column(name, RIDING[name]), path)
    manifest, ledger = Manifest(str(path)), Ledger(Location.of(str(tmp_path / "out")))
    schema = index_schema(manifest, ledger)
    ((_, (row,)),) = manifest.chunks()
    ledger.claim(schema)
    kept = {"request_id": "a", name: row[name]}
    ledger.append(pa.Table.from_pylist([kept], schema=schema))
    (batch,) = Ledger(Location.of(str(tmp_path / "out"))).read([name])
    assert batch.to_pylist() == [{name: row[name]}]
    assert index_schema(manifest, Ledger(Location.of(str(tmp_path / "out")))) == schema


def test_a_column_that_changed_its_type_is_refused(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "in", 1)
    ledger = Ledger(Location.of(str(tmp_path / "out")))
    ledger.claim(index_schema(Manifest(str(path)), ledger))
    table = pq.read_table(path).drop_columns(["note"])
    pq.write_table(table.append_column("note", pa.array([7])), path)
    with pytest.raises(InputFault, match="column 'note' is int64, the output's index has string"):
        index_schema(Manifest(str(path)), ledger)


def test_the_parts_of_a_manifest_are_one(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "in", 5)
    table = pq.read_table(path)
    folder = tmp_path / "parts"
    folder.mkdir()
    (tmp_path / "in/files").rename(folder / "files")
    for start in (0, 2, 4):
        pq.write_table(table.slice(start, 2), folder / f"part-{start}.parquet")
    manifest = Manifest(str(folder))
    rows = [(start, row["request_id"]) for start, rows in manifest.chunks() for row in rows]
    assert manifest.rows == 5
    assert rows == [(0, "r0000"), (0, "r0001"), (2, "r0002"), (2, "r0003"), (4, "r0004")]
    assert manifest.resolve("files/good0.png").exists()


def test_an_output_is_bound_once_and_to_one_configuration(tmp_path: Path) -> None:
    output = Location.of(str(tmp_path / "out"))
    first = RunBinding(model="a", model_fingerprint="1" * 64, config={"steps": 50})
    assert first.bind(output)
    assert not first.bind(output)
    assert RunBinding(model="b", model_fingerprint="1" * 64, config={"steps": 50}).check(output)
    other = RunBinding(model="a", model_fingerprint="2" * 64, config={"steps": 5, "eta": 1.0})
    with pytest.raises(InputFault) as refused:
        other.bind(output)
    told = [line.split(":")[0] for line in refused.value.lines]
    assert told == ["model", "eta", "steps"]
    (tmp_path / "out/run.json").write_text("{}")
    with pytest.raises(InputFault, match=r"is not the run\.json of an output"):
        first.check(output)
