"""A driver's unfinished files are its own."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from adabldm.sampling.options import ExactOptions
from cluster.generate.job import generate
from cluster.generate.pool import Pool
from cluster.generate.spec import GenerationSpec
from cluster.output.index import Ledger
from cluster.output.unfinished import clear_unfinished, unfinished
from cluster.storage.location import Location
from tests.support.making import write_manifest


def test_a_driver_clears_what_is_left_of_those_before_it_only(tmp_path: Path) -> None:
    output = Location.of(str(tmp_path))
    for epoch in (1, 2, 10):
        unfinished(output, epoch).join(".cut").write(b"half")
    (tmp_path / ".partial/.cut").write_bytes(b"of an older version")
    clear_unfinished(output, 2)
    assert [path.name for path in (tmp_path / ".partial").iterdir()] == ["10"]
    clear_unfinished(output, 10)
    assert not (tmp_path / ".partial").exists()
    clear_unfinished(output, 11)


def test_a_command_that_has_nothing_to_do_leaves_the_files_of_one_that_works(
    tmp_path: Path, monkeypatch
) -> None:
    """Its requests are all made; another one, of more requests, is on its way."""
    from cluster.generate import job as module
    from cluster.output.schema import INDEX

    manifest = write_manifest(tmp_path / "in", 2)
    spec = GenerationSpec(
        manifest=str(manifest),
        model="sleep://0",
        output=str(tmp_path / "out"),
        pool=Pool(least=1, most=1, gpus=0, batch_size=1),
        options=ExactOptions(),
    )
    with module.checked(spec) as job:
        job.binding.bind(job.output)
        prints = job.roster.find(pq.read_table(manifest)["request_id"].to_pylist())
        rows = [
            dict.fromkeys(INDEX.names)
            | {"request_id": name, "object": "metal", "defect": "crack", "status": "ok"}
            | {"request_fingerprint": one.request}
            for name, one in prints.items()
        ]
        ledger = Ledger(job.output)
        ledger.claim(job.schema)
        import pyarrow as pa

        ledger.append(pa.Table.from_pylist(rows, schema=job.schema))
    half = tmp_path / "out/.partial/1/.half"
    old = tmp_path / "out/.partial/.half"
    half.parent.mkdir(parents=True)
    for file in (half, old):
        file.write_bytes(b"half")
    outcome = generate(spec, lambda *_: None)
    assert outcome.before == {"ok": 2}
    assert half.exists()
    assert old.exists()
