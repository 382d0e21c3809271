"""The worker with a judge, without Ray: what is published, kept and told of each verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adabldm.core import images
from adabldm.judging.options import JudgeOptions, Limits
from adabldm.sampling.options import ExactOptions
from cluster.generate.protocol import KEPT
from cluster.generate.worker import Worker, WorkerSettings
from cluster.storage.location import Location
from tests.cluster.generate.test_worker import by_id, work
from tests.support.making import Row

ONCE = JudgeOptions()
HALF = "sleep://0?accept=0.5"


def settings(output: Path, judge: JudgeOptions | None, *keep: str) -> WorkerSettings:
    return WorkerSettings(
        output=Location.of(str(output)),
        options=ExactOptions(),
        device="cpu",
        judge=judge,
        keep=keep,
    )


def judged(
    tmp_path: Path, model: str, judge: JudgeOptions | None, *keep: str, rows: int = 12
) -> dict[str, Row]:
    table = work(tmp_path / "in", model, rows)
    return by_id(Worker(settings(tmp_path / "out", judge, *keep))(table))


def files(tmp_path: Path) -> set[str]:
    out = tmp_path / "out"
    return {str(path.relative_to(out)) for path in out.rglob("*.png")}


def read(tmp_path: Path, key: str) -> np.ndarray:
    return images.decode((tmp_path / "out" / key).read_bytes(), "L")


def statuses(facts: dict[str, Row]) -> dict[str, str]:
    return {name: row["status"] for name, row in facts.items()}


def test_a_rejected_request_has_its_reason_and_figures_and_no_picture(tmp_path: Path) -> None:
    facts = judged(tmp_path, HALF, ONCE)
    rejected = [row for row in facts.values() if row["status"] == "rejected"]
    assert 0 < len(rejected) < len(facts)
    for row in rejected:
        assert row["reason"].endswith(f" is below {Limits().coverage:g}")
        assert dict(row["quality"])["coverage"] < 0.5
        assert dict(row["seconds"]).keys() >= {"sleep", "store"}
        assert (row["image"], row["mask"], row["extras"]) == (None, None, [])
    assert not [key for key in files(tmp_path) for row in rejected if row["request_id"] in key]


@pytest.mark.parametrize("mask", ["asked", "refined"])
def test_the_mask_that_was_chosen_is_published_and_the_other_one_kept(
    mask: str, tmp_path: Path
) -> None:
    facts = judged(tmp_path, "sleep://0", JudgeOptions(mask=mask), rows=3)
    other = {"asked": "refined_mask", "refined": "asked_mask"}[mask]
    for row in facts.values():
        (extra,) = row["extras"]
        assert (row["status"], extra["name"]) == ("ok", other)
        found = {mask: read(tmp_path, row["mask"]), other[:-5]: read(tmp_path, extra["path"])}
        assert (found["refined"] <= found["asked"]).all()
        assert 0 < (found["refined"] > 0).sum() < (found["asked"] > 0).sum()


def test_rejected_pairs_are_kept_apart_when_that_is_asked_for(tmp_path: Path) -> None:
    facts = judged(tmp_path, HALF, ONCE, *KEPT)
    for name, row in facts.items():
        kept = [extra["name"] for extra in row["extras"]]
        if row["status"] == "ok":
            assert kept == ["source", "trimap", "blended", "refined_mask"]
            continue
        assert kept == ["source", "trimap", "blended", "rejected", "asked_mask", "refined_mask"]
        assert not [key for key in files(tmp_path) if name in key and "extras" not in key]
        paths = {extra["name"]: extra["path"] for extra in row["extras"]}
        changed = read(tmp_path, paths["rejected"]) != read(tmp_path, paths["source"])
        assert not changed[read(tmp_path, paths["asked_mask"]) == 0].any()


def test_more_draws_reject_fewer_and_each_request_ends(tmp_path: Path) -> None:
    counts = {}
    for candidates, retries in ((1, 0), (1, 3), (4, 0), (4, 3)):
        judge = JudgeOptions(candidates=candidates, retries=retries)
        facts = judged(tmp_path / f"{candidates}{retries}", HALF, judge, rows=24)
        counts[candidates, retries] = list(statuses(facts).values()).count("rejected")
        draws = [dict(row["quality"])["candidates"] for row in facts.values()]
        assert max(draws) <= candidates * (retries + 1)
    assert counts[1, 0] > counts[1, 3] >= counts[4, 3]
    assert counts[1, 0] > counts[4, 0] >= counts[4, 3]


def test_limits_that_no_draw_meets_end_in_rejected_rows(tmp_path: Path) -> None:
    judge = JudgeOptions(candidates=2, retries=3, limits=Limits(coverage=1))
    facts = judged(tmp_path, "sleep://0", judge)
    assert set(statuses(facts).values()) == {"rejected"}
    assert {dict(row["quality"])["candidates"] for row in facts.values()} == {8.0}
    assert not files(tmp_path)


def test_a_verdict_and_its_files_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    judge = JudgeOptions(candidates=2, retries=1, mask="refined")
    table = work(tmp_path / "in", "sleep://0?accept=0.3", 12)
    together = by_id(Worker(settings(tmp_path / "a", judge, *KEPT))(table))
    worker = Worker(settings(tmp_path / "b", judge, *KEPT))
    assert set(statuses(together).values()) == {"ok", "rejected"}
    for index in range(table.num_rows):
        (alone,) = worker(table.slice(index, 1)).to_pylist()
        whole = together[alone["request_id"]]
        for name in ("status", "reason", "image_sha256", "mask_sha256", "extras"):
            assert alone[name] == whole[name]


def test_a_row_that_raises_fails_and_its_neighbours_are_judged(tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[2]["prompt"], rows[4]["prompt"] = "a bad one", "a dull one"

    table = work(tmp_path / "in", "sleep://0?raise=bad&reject=dull", 6, change)
    facts = by_id(Worker(settings(tmp_path / "out", ONCE))(table))
    found = statuses(facts)
    assert (found.pop("r0002"), found.pop("r0004")) == ("failed", "rejected")
    assert set(found.values()) == {"ok"}
    assert facts["r0004"]["reason"].startswith("coverage 0.")


def test_without_a_judge_all_is_as_before(tmp_path: Path) -> None:
    plain = judged(tmp_path / "a", "sleep://0?accept=0", None)
    assert set(statuses(plain).values()) == {"ok"}
    assert all(row["extras"] == [] for row in plain.values())
    first = judged(tmp_path / "b", "sleep://0", ONCE)
    assert [row["image_sha256"] for row in plain.values()] == [
        row["image_sha256"] for row in first.values()
    ]
