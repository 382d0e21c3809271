"""The page tells what the index and the pictures say, whatever texts and files they hold."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from adabldm.core.faults import InputFault
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.output.verification import verify
from cluster.storage.location import Location
from jobs.report.page import base_of, report
from jobs.report.survey import survey
from tests.support.reported import draw_reported, status_of

HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\"'&lt; {{ 7*7 }} \u2028"
COUNT = 30


def page_of(output: Location, **how: Any) -> str:
    return report(output, output.join("report.html"), **how).html.decode()


def data_of(html: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    return json.loads(text)


class Reader(HTMLParser):
    """Elements, what they load, and the texts of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name.startswith("on"):
                self.handlers.append(name)
            if name in ("src", "href") and value:
                self.loads.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def output(tmp_path: Path) -> Location:
    return draw_reported(str(tmp_path / "pairs"), COUNT)


def test_all_that_was_asked_made_rejected_and_failed_is_counted(output: Location) -> None:
    html = page_of(output)
    statuses = [status_of(number) for number in range(COUNT)]
    totals = re.findall(r"<dd>([\d,.]+)", html)[:4]
    assert totals == [
        str(len(statuses)),
        *(str(statuses.count(name)) for name in ("ok", "rejected", "failed")),
    ]
    for told in ("placement: does not fit", "coverage at least 0.5", "host-0:77", "sample"):
        assert told in Reader(html).text, told


def test_pictures_of_a_row_are_found_by_the_pages_own_rules_or_are_told(output: Location) -> None:
    data = data_of(page_of(output))
    assert data["base"] == ""
    assert data["paths"] == {}
    codes = {
        data["id"][at]: {
            name: bits // 4**place % 4 for place, name in enumerate(data["names"]) if bits
        }
        for at, bits in enumerate(data["pictures"])
    }
    good = {"good": 1, "result": 1, "asked": 2, "refined": 1, "trimap": 0, "blended": 0}
    assert codes["r0000"] == good
    assert codes["r0004"] == {**good, "asked": 1, "refined": 0}
    assert codes["r0010"] == {}

    def move(row: dict[str, Any]) -> None:
        for extra in row["extras"]:
            if extra["name"] == "source":
                extra["path"] = f"elsewhere/{row['request_id']}.png"

    moved = draw_reported(Location.of(f"{output.path}_moved"), 1, change=move)
    assert data_of(page_of(moved))["paths"] == {"0": {"good": "elsewhere/r0000.png"}}


def test_seeds_keep_all_their_digits(output: Location) -> None:
    data = data_of(page_of(output))
    assert dict(zip(data["id"], data["seed"], strict=True))["r0003"] == str(2**60 + 3)


@pytest.mark.parametrize("where", ["prompt", "reason", "made_by", "defect", "request_id", "run"])
def test_texts_cannot_become_part_of_the_page(where: str, tmp_path: Path) -> None:
    def spoil(row: dict[str, Any]) -> None:
        if where in ("prompt", "made_by", "defect") or (where == "reason" and row.get(where)):
            row[where] = HOSTILE
        if where == "request_id":
            row[where] += HOSTILE

    run = {"model": HOSTILE, HOSTILE: HOSTILE} if where == "run" else {}
    plain = Reader(page_of(draw_reported(str(tmp_path / "plain"), COUNT)))
    html = page_of(draw_reported(str(tmp_path / "hostile"), COUNT, change=spoil, run=run))
    found = Reader(html)
    assert found.handlers == []
    assert set(found.tags) == set(plain.tags)
    assert found.tags.count("script") == plain.tags.count("script")
    assert not [load for load in found.loads if not load.startswith(("#", "data:"))]
    assert "49" not in re.findall(r"\{\{.{0,9}", html)
    if where != "run":
        assert HOSTILE in json.dumps(data_of(html), ensure_ascii=False).replace('\\"', '"') or (
            where == "made_by" and HOSTILE in found.text
        )


def test_only_the_pages_own_script_may_run(output: Location) -> None:
    import base64
    import hashlib

    html = page_of(output)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    script = html.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;".replace("&#39;", "'") in policy
    assert "default-src 'none'" in policy


def test_an_index_of_an_older_program_is_told_without_what_it_lacks(tmp_path: Path) -> None:
    lacking = ("made_by", "made_at", "seconds", "top_up", "quality")
    columns = pa.schema([field for field in INDEX if field.name not in lacking])
    output = draw_reported(str(tmp_path / "old"), COUNT, columns=columns, run={"config": {}})
    html = page_of(output)
    assert "does not say when and by which worker" in html
    assert 'id="quality"' not in html
    assert 'id="close"' not in html
    assert data_of(html)["figures"] == {}


def test_lost_and_broken_pictures_are_named_and_the_rest_is_drawn(output: Location) -> None:
    output.join("nut/test/crack/r0000.png").remove()
    output.join("nut/test/hole/r0001.png").write(b"no picture")
    made = report(output, output.join("report.html"))
    assert sorted(lost.path for lost in made.lost) == [
        "nut/test/crack/r0000.png",
        "nut/test/hole/r0001.png",
    ]
    pictures = sum(status_of(number) != "failed" for number in range(COUNT))
    assert made.thumbnails == pictures - 2
    assert "2 of the pictures that were looked at cannot be read" in made.html.decode()


def test_so_many_thumbnails_as_were_asked_for_close_calls_first(output: Location) -> None:
    found = survey(Ledger(output), [])
    assert len(found.pairs) == COUNT
    html = page_of(output, thumbnails=6)
    data = data_of(html)
    shown = [at for at, tile in enumerate(data["tile"]) if tile >= 0]
    assert len(shown) == 6
    assert sorted(data["tile"][at] for at in shown) == list(range(6))
    close = {one["at"] for some in data["close"].values() for one in some}
    assert set(shown) <= close
    assert "6 have a thumbnail in this file" in html
    assert data_of(page_of(output, thumbnails=0))["tile"] == [-1] * COUNT


def test_the_worst_accepted_and_the_best_rejected_come_in_order(output: Location) -> None:
    data = data_of(page_of(output))
    notes = {name: [one["note"] for one in some] for name, some in data["close"].items()}
    assert notes["worst-accepted"][0].startswith("coverage 0.6 ")
    rejected = [n for n in range(COUNT) if status_of(n) == "rejected"]
    best = [f"coverage {0.1 + 0.01 * n:.3g} (limit ≥ 0.5)" for n in sorted(rejected, reverse=True)]
    assert notes["best-rejected"] == best[:16]


def test_an_output_with_more_rows_than_a_page_lists_is_counted_whole(output: Location) -> None:
    found = survey(Ledger(output), [], most_listed=10)
    assert found.rows == COUNT
    assert len(found.pairs) == 10
    assert found.tally.types["nut", "crack"].asked == COUNT / 3
    again = survey(Ledger(output), [], most_listed=10)
    assert again.pairs == found.pairs


def test_a_page_inside_the_output_is_no_fault_of_the_output(output: Location) -> None:
    output.join("report.html").write(page_of(output).encode())
    assert list(verify(output, lambda _: None)) == []


@pytest.mark.parametrize(
    ("output", "target", "base"),
    [
        ("/a/pairs", "/a/pairs/report.html", ""),
        ("/a/pairs", "/a/report.html", "pairs/"),
        ("/a/my pairs #1", "/a/b/report.html", "../my%20pairs%20%231/"),
        ("/a/javascript:x", "/a/report.html", "javascript%3Ax/"),
        ("s3://b/pairs", "s3://b/pairs/report.html", ""),
        ("s3://b/pairs", "s3://c/report.html", None),
        ("s3://b/pairs", "/a/report.html", None),
        ("/a/pairs", "s3://b/report.html", None),
    ],
)
def test_pictures_are_linked_relative_to_the_page_where_that_leads_there(
    output: str, target: str, base: str | None
) -> None:
    assert base_of(Location.of(output), Location.of(target)) == base


def test_a_page_in_a_bucket_tells_of_an_output_in_the_bucket(s3: str) -> None:
    output = draw_reported(Location.of(f"{s3}/pairs"), COUNT)
    made = report(output, output.join("report.html"))
    assert made.lost == []
    assert data_of(made.html.decode())["base"] == ""


def test_what_is_no_output_and_what_is_empty_is_refused(tmp_path: Path) -> None:
    empty = Location.of(str(tmp_path))
    with pytest.raises(InputFault, match="has no index"):
        page_of(empty)
    with pytest.raises(InputFault, match="has an index without a row"):
        page_of(draw_reported(str(tmp_path / "none"), 0))
