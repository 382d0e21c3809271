"""The driver commits only what it can see."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.faults import JobFault
from cluster.generate.driver import _refuse_lost
from cluster.storage.location import Location


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
