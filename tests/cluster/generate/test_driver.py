"""The driver commits only what it can see, and condemns no request for what is the model's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adabldm.core.faults import JobFault
from cluster.generate.driver import Driver, _refuse_lost
from cluster.generate.pool import Pool
from cluster.generate.protocol import FAILED, Fact
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

    def _facts(self, windows: Iterator[PendingWindow]) -> Any:
        for window in windows:
            self._take_on(window)
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
        rows=130,
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


def test_each_request_has_one_row_whatever_comes_twice(tmp_path: Path) -> None:
    told = failed(5, own=True)
    assert len(index_of(drive(tmp_path, [*told, *told]))) == 5


@pytest.mark.parametrize("error", [OSError("Kernel error: 403 Forbidden"), RuntimeError("why")])
def test_whatever_stops_a_driver_what_is_there_is_committed_first(
    error: Exception, tmp_path: Path
) -> None:
    def told() -> Iterator[Fact]:
        yield from failed(5, own=True)
        raise error

    with pytest.raises(type(error)):
        drive(tmp_path, told())
    assert len(index_of(tmp_path / "out")) == 5
