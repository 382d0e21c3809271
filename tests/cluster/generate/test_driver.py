"""The driver commits only what it can see, and condemns no request for what is the model's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from adabldm.core.faults import JobFault
from cluster.generate.driver import HOPELESS_FAILURES, Driver, _refuse_lost
from cluster.generate.flow import Pool
from cluster.generate.protocol import FAILED, OK, Fact
from cluster.generate.settling import Settling
from cluster.generate.windows import PendingWindow, pending_windows
from cluster.generate.worker import WorkerSettings
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.storage.location import Location
from tests.support.making import checks_of, index_of, write_manifest


def test_pairs_that_only_their_worker_can_see_are_not_committed(tmp_path: Path) -> None:
    output = Location.of(str(tmp_path))
    rows = [
        {"status": "failed", "image": None},
        {"status": "ok", "image": "metal/test/crack/a.png"},
    ]
    with pytest.raises(JobFault, match="a worker has stored it, and it is not here"):
        _refuse_lost(output, rows)
    output.join("metal/test/crack/a.png").write(b"a")
    _refuse_lost(output, rows)
    _refuse_lost(output, rows[:1])


class Told(Driver):
    """Its workers' facts are given."""

    told: Iterable[Fact] = ()

    def _facts(self, _: PendingWindow) -> Any:
        yield from self.told


def drive(folder: Path, told: Iterable[Fact], **more: Any) -> Path:
    """The output, after the facts of the first rows of a manifest of 130 came."""
    manifest = Manifest(str(write_manifest(folder / "in", 130)))
    checks = checks_of(manifest)
    roster = validate(manifest, checks)
    windows = list(pending_windows(manifest, checks, roster, 1000))
    roster.close()
    output = Location.of(str(folder / "out"))
    from adabldm.sampling.options import ExactOptions

    ledger = Ledger(output)
    ledger.claim(INDEX)
    driver = Told(
        ledger=ledger,
        schema=INDEX,
        pool=Pool(least=1, most=1, gpus=0, batch_size=1),
        settings=WorkerSettings(output=output, options=ExactOptions(), device="cpu"),
        model="sleep://0",
        config_fingerprint="",
        progress=lambda *_: None,
        settling=Settling(manifest.place, "sleep://0"),
        **more,
    )
    driver.told = told
    driver.drive(iter(windows))
    return folder / "out"


def failed(count: int, *, own: bool, first: int = 0) -> list[Fact]:
    return [
        Fact(request_id=f"r{number:04d}", status=FAILED, reason="why", own=own)
        for number in range(first, first + count)
    ]


def test_many_rows_whose_pictures_are_broken_fail_and_the_job_goes_on(tmp_path: Path) -> None:
    output = drive(tmp_path, failed(HOPELESS_FAILURES + 20, own=True))
    assert len(index_of(output)) == HOPELESS_FAILURES + 20


def test_when_the_model_fails_on_all_the_job_stops_and_only_broken_rows_are_condemned(
    tmp_path: Path,
) -> None:
    told = [*failed(5, own=True), *failed(HOPELESS_FAILURES, own=False, first=5)]
    with pytest.raises(JobFault, match=f"the first {HOPELESS_FAILURES} requests all failed: why"):
        drive(tmp_path, told)
    assert [row["request_id"] for row in index_of(tmp_path / "out")] == [
        f"r{number:04d}" for number in range(5)
    ]


def test_where_the_model_has_made_others_the_rows_fail_and_the_job_ends(tmp_path: Path) -> None:
    told = failed(HOPELESS_FAILURES, own=False)
    assert len(index_of(drive(tmp_path / "a", told, made_before=True))) == HOPELESS_FAILURES
    few = failed(HOPELESS_FAILURES - 1, own=False)
    rejected = Fact(request_id="r0120", status="rejected", reason="drawn so")
    more = failed(10, own=False, first=HOPELESS_FAILURES)
    rows = index_of(drive(tmp_path / "b", [*few, rejected, *more]))
    assert len(rows) == HOPELESS_FAILURES + 10
    assert OK not in {row["status"] for row in rows}
