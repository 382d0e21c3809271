"""What is lacking is counted over the whole output, in words of a kind, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.output.tally import MOST_KINDS, kind_of, tally_of
from cluster.storage.location import Location

Row = dict[str, object]


def row(number: int, status: str = "ok", reason: str | None = None, **more: object) -> Row:
    named = {"request_id": f"r{number}", "object": "nut", "defect": "crack"}
    return {**named, "status": status, "reason": reason, **more}


def ledger_of(folder: Path, *commits: list[Row], schema: pa.Schema = INDEX) -> Ledger:
    ledger = Ledger(Location.of(str(folder)))
    ledger.claim(schema)
    for rows in commits:
        ledger.append(pa.Table.from_pylist(rows, schema))
    return ledger


def test_types_are_counted_over_all_commits_with_the_kinds_of_their_reasons(tmp_path: Path) -> None:
    first = [row(n) for n in range(5)] + [
        row(5, "rejected", "coverage 0.312 is below 0.5"),
        row(6, "rejected", "coverage 1.1e-03 is below 0.5; seam 9 is above 8"),
        row(7, "failed", "worker died"),
    ]
    second = [
        row(8, "rejected", "seam 12.5 is above 8"),
        row(9, defect="bent"),
    ]
    tally = tally_of(ledger_of(tmp_path, first, second))
    assert list(tally.types) == [("nut", "bent"), ("nut", "crack")]
    crack = tally.types["nut", "crack"]
    assert (crack.asked, crack.made, crack.short) == (9, 5, 4)
    assert crack.rejected == {"coverage": 1, "coverage + seam": 1, "seam": 1}
    assert crack.failed == {"worker died": 1}
    assert tally.types["nut", "bent"].short == 0
    assert (tally.short, tally.top_ups) == (4, 0)


def test_top_ups_stand_for_pairs_that_were_asked_for(tmp_path: Path) -> None:
    rows = [row(0), row(1, "rejected", "seam 9 is above 8"), row(2, "failed", "x")]
    more = [row(3, top_up=1), row(4, "rejected", "seam 9 is above 8", top_up=1)]
    tally = tally_of(ledger_of(tmp_path, rows, more))
    assert tally.types["nut", "crack"].asked == 3
    assert (tally.short, tally.top_ups) == (1, 1)
    tally = tally_of(ledger_of(tmp_path / "2", rows, more, [row(5, top_up=2), row(6, top_up=2)]))
    assert (tally.short, tally.top_ups) == (0, 2)


def test_an_index_of_older_days_is_counted(tmp_path: Path) -> None:
    old = pa.schema([field for field in INDEX if field.name != "top_up"])
    ledger = ledger_of(tmp_path, [row(0), row(1, "failed", "worker died")], schema=old)
    assert tally_of(ledger).short == 1
    ledger.append(pa.Table.from_pylist([row(2, top_up=1)], INDEX))
    assert (tally_of(ledger).short, tally_of(ledger).top_ups) == (0, 1)


def test_an_output_without_an_index_has_nothing(tmp_path: Path) -> None:
    assert tally_of(Ledger(Location.of(str(tmp_path)))).types == {}


def test_any_number_of_kinds_takes_little_room(tmp_path: Path) -> None:
    rows = [
        row(n, "failed", "".join(chr(97 + n // 26**k % 26) for k in range(4))) for n in range(500)
    ]
    failed = tally_of(ledger_of(tmp_path, rows)).types["nut", "crack"].failed
    assert len(failed) == MOST_KINDS + 1
    assert failed.total() == 500
    assert failed["other"] == 500 - MOST_KINDS


@pytest.mark.parametrize(
    ("reason", "rejected", "kind"),
    [
        ("coverage 0.31 is below 0.5", True, "coverage"),
        ("coverage nan is below 0.5; cl_dice 0 is below 0.2", True, "coverage + cl_dice"),
        ("image: /data/a b.png: is not the file", False, "image: ... b.png: is not the file"),
        (
            "RuntimeError: asked to raise by 'a bad one'",
            False,
            "RuntimeError: asked to raise by ...",
        ),
        (
            "trimap: is 12 x 9, its image 48 x 48",
            False,
            "trimap: is ... x ..., its image ... x ...",
        ),
        ("nothing changed", True, "nothing changed"),
        (None, False, "no reason"),
        ("x" * 500, False, "x" * 80),
    ],
)
def test_reasons_that_differ_in_figures_are_of_one_kind(
    reason: str | None, rejected: bool, kind: str
) -> None:
    assert kind_of(reason, rejected) == kind
