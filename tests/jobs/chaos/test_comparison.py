"""What is lost, doubled or different is found, and what tells of the run is not held against it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console

from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from jobs.chaos.comparison import Difference, compare
from jobs.chaos.inputs import WORDS, sleeping, write_manifest
from jobs.chaos.rounds import Ended
from jobs.chaos.schedule import ROWS
from jobs.chaos.table import show
from tests.support.making import checks_of


def row(number: int, **more: Any) -> dict[str, Any]:
    extras = [{"name": "a", "sha256": "1"}, {"name": "b", "sha256": "2"}]
    plain = {"request_id": f"r{number}", "status": "ok", "image_sha256": "x", "extras": extras}
    return {**plain, "made_by": "me", **more}


def test_equal_rows_differ_in_nothing() -> None:
    wanted = [row(0), row(1)]
    found = [row(1, made_by="you"), row(0, extras=row(0)["extras"][::-1])]
    assert compare(wanted, found) == Difference(requests=2)


def test_each_kind_of_loss_is_found() -> None:
    wanted = [row(number) for number in range(4)]
    found = [row(0), row(0), row(1, image_sha256="y"), row(2, extras=[])]
    seen = compare(wanted, found)
    assert seen.lost == ("r3",)
    assert seen.doubled == ("r0",)
    assert set(seen.differing) == {"r1", "r2"}
    assert "image_sha256: 'x' is 'y'" in seen.differing["r1"]


def test_a_round_with_a_loss_is_said_and_no_success() -> None:
    def ended(difference: Difference, *faults: str) -> Ended:
        return Ended("s3", 1.0, Counter({"403": 2}), difference, Counter(), list(faults))

    console = Console(record=True, width=100, quiet=False, file=None, stderr=True)
    assert show([ended(Difference(requests=3))], Counter({"NaN row": 1}), console)
    assert not show([ended(Difference(requests=3, lost=("r7",)))], Counter(), console)
    assert not show([ended(Difference(requests=3), "verify: x")], Counter(), console)
    assert "lost: r7" in console.export_text()


def test_the_manifest_is_in_order_and_each_harmful_row_is_there_once(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "in", 30, 5, ROWS)
    prompts = pq.read_table(path)["prompt"].to_pylist()
    for name in ROWS:
        assert sum(WORDS[name] in prompt for prompt in prompts) == 1
        assert WORDS[name] in sleeping(5)
    manifest = Manifest(str(path))
    roster = validate(manifest, checks_of(manifest))
    assert roster.count() == 30
    roster.close()
