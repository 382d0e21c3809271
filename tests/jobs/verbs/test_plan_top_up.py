"""``adabldm plan --top-up``: an output that is short is completed, with new requests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.manifest.reader import Manifest
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.storage.location import Location
from jobs import cli
from tests.jobs.verbs.test_plan import disc, metal

Answer = tuple[int, list[str], list[str]]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run ``adabldm plan`` in ``tmp_path``: code, lines, errors."""

    def run(*words: object) -> Answer:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["adabldm", "plan", *map(str, words)])
        monkeypatch.setattr("jobs.progress.LINE_SECONDS", 3600.0)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out.splitlines(), told.err.splitlines()

    return run


def commit(output: Path, manifest: Path, bad: dict[int, str]) -> None:
    """Let all rows of a manifest have their row in the output's index; ``bad`` ones by place."""
    rows = pq.read_table(manifest).select(["request_id", "object", "defect", "top_up"]).to_pylist()
    for number, row in enumerate(rows):
        row["status"] = bad.get(number, "ok")
        row["reason"] = None if row["status"] == "ok" else "seam 9 is above 8"
    ledger = Ledger(Location.of(str(output)))
    ledger.claim(INDEX)
    ledger.append(pa.Table.from_pylist(rows, INDEX))


def rows_of(manifest: Path) -> list[dict]:
    return pq.read_table(manifest).to_pylist()


def test_what_was_rejected_or_failed_is_planned_anew_until_nothing_is_short(
    plan, tmp_path: Path
) -> None:
    metal(tmp_path / "metal")
    assert plan("metal", "--count", 10, "--seed", 7, "--output", "plan")[0] == 0
    first = rows_of(tmp_path / "plan/manifest.parquet")
    assert {row["top_up"] for row in first} == {None}
    commit(
        tmp_path / "out",
        tmp_path / "plan/manifest.parquet",
        {0: "rejected", 2: "failed", 3: "rejected"},
    )
    code, lines, _ = plan("metal", "--top-up", "out", "--seed", 7, "--output", "plan")
    assert code == 0
    assert lines[-1].startswith("planned 3 requests in ")
    assert lines[-1].endswith(f"{tmp_path}/plan/top_up_1.parquet")
    second = rows_of(tmp_path / "plan/top_up_1.parquet")
    assert Counter(row["defect"] for row in second) == {"crack": 2, "deep_scratch": 1}
    assert {row["top_up"] for row in second} == {1}
    assert not {row["request_id"] for row in first} & {row["request_id"] for row in second}
    assert not {row["seed"] for row in first} & {row["seed"] for row in second}
    assert second[0]["request_id"] == "metal-crack-s7-1000000000"
    commit(tmp_path / "out", tmp_path / "plan/top_up_1.parquet", {1: "rejected"})
    assert plan("metal", "--top-up", "out", "--seed", 7, "--output", "plan")[0] == 0
    (third,) = rows_of(tmp_path / "plan/top_up_2.parquet")
    assert third["top_up"] == 2
    assert third["defect"] == second[1]["defect"]
    commit(tmp_path / "out", tmp_path / "plan/top_up_2.parquet", {})
    before = sorted(tmp_path.rglob("*"))
    code, lines, _ = plan("metal", "--top-up", "out", "--seed", 7, "--output", "plan")
    assert (code, lines) == (0, [f"nothing is short of 10 pairs asked for: {tmp_path}/out"])
    assert sorted(tmp_path.rglob("*")) == before


def test_the_folder_of_a_plan_and_its_top_ups_is_one_manifest(plan, tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    plan("metal", "--count", 6, "--output", "plan")
    commit(tmp_path / "out", tmp_path / "plan/manifest.parquet", {1: "rejected"})
    plan("metal", "--top-up", "out", "--output", "plan")
    manifest = Manifest(str(tmp_path / "plan"))
    rows = [row for _, some in manifest.chunks() for row in some]
    assert [row["top_up"] for row in rows] == [None] * 6 + [1]
    for row in rows:
        assert manifest.resolve(row["image"]["path"]).exists()
    names = {path.name for path in (tmp_path / "plan").iterdir()}
    assert {name for name in names if not name.startswith("_")} == {
        "manifest.parquet", "manifest_files", "top_up_1.parquet",
    }  # fmt: skip


def test_rows_of_a_top_up_are_the_same_each_time_and_a_grown_plan_has_none_of_them(
    plan, tmp_path: Path
) -> None:
    metal(tmp_path / "metal")
    plan("metal", "--count", 6, "--output", "plan")
    commit(tmp_path / "out", tmp_path / "plan/manifest.parquet", {1: "rejected", 2: "rejected"})
    plan("metal", "--top-up", "out", "--output", "a.parquet")
    plan("metal", "--top-up", "out", "--output", "b.parquet")
    plan("metal", "--count", 60, "--output", "long")
    one, again = rows_of(tmp_path / "a.parquet"), rows_of(tmp_path / "b.parquet")
    assert repr(one).replace("a_files", "b_files") == repr(again)
    grown = {row["request_id"] for row in rows_of(tmp_path / "long/manifest.parquet")}
    assert not grown & {row["request_id"] for row in one}


def test_a_top_up_that_is_there_is_not_written_over(plan, tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    plan("metal", "--count", 6, "--output", "plan")
    commit(tmp_path / "out", tmp_path / "plan/manifest.parquet", {1: "rejected"})
    assert plan("metal", "--top-up", "out", "--output", "plan")[0] == 0
    whole = (tmp_path / "plan/top_up_1.parquet").read_bytes()
    for place in ("plan", "plan/top_up_1.parquet", "plan/manifest.parquet"):
        code, _, errors = plan("metal", "--top-up", "out", "--seed", 1, "--output", place)
        assert (code, len(errors)) == (2, 1)
        assert errors[0].endswith("is there already: generate it first, or remove it")
    assert (tmp_path / "plan/top_up_1.parquet").read_bytes() == whole


def test_types_that_the_data_set_has_not_are_named(plan, tmp_path: Path) -> None:
    metal(tmp_path / "data/metal")
    disc(tmp_path / "data/coin")
    plan("data", "--count", 9, "--output", "plan")
    bad = dict.fromkeys(range(9), "rejected")
    commit(tmp_path / "out", tmp_path / "plan/manifest.parquet", bad)
    anywhere = ("--where", "anywhere")
    code, lines, errors = plan("data/coin", "--top-up", "out", "--output", "more", *anywhere)
    assert code == 0
    assert lines[-1].startswith("planned 3 requests")
    rule = "is short of types that are not among the planned ones"
    assert errors == [
        f"--top-up: '{tmp_path}/out': {rule}: metal/crack (3), metal/deep_scratch (3)"
    ]
    disc(tmp_path / "else")
    code, _, errors = plan("else", "--top-up", "out", "--output", "other")
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith(f"--top-up: '{tmp_path}/out': {rule}: coin/hole (3), metal/crack")
    assert not (tmp_path / "other").exists()


def test_a_type_that_finds_no_place_any_more_is_said_and_the_others_are_planned(
    plan, tmp_path: Path
) -> None:
    metal(tmp_path / "data/metal")
    disc(tmp_path / "data/coin")
    plan("data", "--count", 9, "--output", "plan")
    bad = dict.fromkeys(range(9), "failed")
    commit(tmp_path / "out", tmp_path / "plan/manifest.parquet", bad)
    disc(tmp_path / "data/coin", mask_side=66)
    code, lines, errors = plan("data", "--top-up", "out", "--output", "more", "--where", "anywhere")
    assert code == 3
    assert lines[-1].startswith("planned 6 requests")
    assert errors[-1] == f"--top-up: '{tmp_path}/out': no place was found for coin/hole (3)"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "--count: None: exactly one of --count and --top-up is needed"),
        (("--count", 3, "--top-up", "metal"), "--count: 3: exactly one of --count and --top-up"),
        (("--top-up", "nowhere"), "--top-up: '{}/nowhere': there is no such folder"),
        (("--top-up", "metal"), "--top-up: '{}/metal': has no index; it must be an output of"),
    ],
)
def test_what_cannot_be_topped_up_is_refused_in_a_line(
    words: tuple, line: str, plan, tmp_path: Path
) -> None:
    metal(tmp_path / "metal")
    code, _, errors = plan("metal", "--output", "plan", *words)
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith(line.format(tmp_path))
    assert not (tmp_path / "plan").exists()
