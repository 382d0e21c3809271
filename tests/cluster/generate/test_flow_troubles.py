"""Rows that hang or kill their workers, on a real pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.faults import JobFault
from adabldm.sampling.options import ExactOptions
from cluster.generate import alone, suspects, troubles
from cluster.generate.flow import run
from cluster.generate.pool import Pool
from cluster.generate.protocol import works_of
from cluster.generate.worker import WorkerSettings
from cluster.storage.location import Location
from tests.cluster.generate.test_worker import work
from tests.support.making import Row


def facts_of_run(folder: Path, model: str, rows: int, change=None, **more: object) -> dict:
    """By id, of a pool of two."""
    works = works_of(work(folder / "in", model, rows, change))
    place = Location.of(str(folder / "out"))
    settings = WorkerSettings(output=place, options=ExactOptions(), device="cpu", **more)
    pool = Pool(least=2, most=2, gpus=0, batch_size=2)
    facts = [row for found in run([works], rows, pool, settings) for row in found.to_pylist()]
    assert len(facts) == rows
    return {row["request_id"]: row for row in facts}


def test_a_request_that_hangs_fails_alone_and_its_worker_is_replaced(
    ray_address: str, tmp_path: Path
) -> None:
    def change(rows: list[Row]) -> None:
        rows[2]["prompt"] = "an endless one"

    facts = facts_of_run(tmp_path, "sleep://0?hang=endless", 8, change, time_limit=1)
    hung = facts.pop("r0002")
    assert hung["status"] == "failed"
    assert hung["reason"] == "computed for more than 1 s (--time-limit)"
    assert {row["status"] for row in facts.values()} == {"ok"}


def test_requests_that_all_kill_their_workers_fail_and_the_job_ends(
    ray_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it is not the workers, a canary shows."""
    monkeypatch.setattr(alone, "HOPELESS", 2)
    facts = facts_of_run(tmp_path, "sleep://0?crash=crack", 3)
    assert {row["reason"] for row in facts.values()} == {"worker died"}
    assert all(row["own"] for row in facts.values())


def test_workers_that_die_on_a_canary_too_condemn_no_request(
    ray_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "HOPELESS", 2)
    with pytest.raises(JobFault, match="every worker died on every request that it was given"):
        facts_of_run(tmp_path, "sleep://0?crash=a", 3)


def test_a_store_that_stays_away_stops_the_job_and_condemns_no_request(
    ray_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(troubles, "NODE_TROUBLES", 2)
    monkeypatch.setattr(troubles, "WAITS", (0.1, 0.1))
    (tmp_path / "out").write_text("a file where the output's folder should be")
    with pytest.raises(JobFault, match=r"^r\d+: writing: "):
        facts_of_run(tmp_path, "sleep://0", 8)


def test_many_sound_requests_that_all_raise_fail_once_a_drawn_one_was_made(
    ray_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspects, "HOPELESS_FAILURES", 3)
    facts = facts_of_run(tmp_path, "sleep://0?raise=crack", 8)
    assert {row["status"] for row in facts.values()} == {"failed"}
    assert not list((tmp_path / "out").rglob("*canary*"))


def test_a_model_that_fails_on_a_drawn_request_too_condemns_none(
    ray_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspects, "HOPELESS_FAILURES", 3)
    with pytest.raises(JobFault, match=r"^the first \d requests all failed: .*a drawn one that is"):
        facts_of_run(tmp_path, "sleep://0?raise=a", 8)
