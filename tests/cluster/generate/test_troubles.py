"""What is not a request's own fault condemns no request, and has a budget."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from adabldm.core.faults import JobFault
from cluster.generate.protocol import (
    AGAIN,
    FAILED,
    OK,
    UNLOADABLE,
    UNREAD,
    UNSTARTED,
    UNSTORED,
    Fact,
    Status,
    works_of,
)
from cluster.generate.settling import Settling
from cluster.generate.troubles import NODE_TROUBLES, TRIES, WAITS, Troubles
from cluster.models.loading import ModelFault
from cluster.storage.location import Location
from tests.cluster.generate.test_worker import work
from tests.support.making import Row


def of(status: Status, number: int = 0, node: str = "a") -> Fact:
    return Fact(request_id=f"r{number}", status=status, reason="why", node=node)


def troubles(*nodes: str) -> Troubles:
    return Troubles(lambda _: None, lambda: set(nodes))


def test_a_node_in_trouble_is_left_and_no_request_is_condemned() -> None:
    seen = troubles("a", "b")
    for number in range(NODE_TROUBLES):
        assert not seen.is_time_to_stop()
        assert seen.consider(of(OK, 100 + number, "b")) is not None
        assert seen.consider(of(UNREAD, number, "a")) is None
    assert seen.is_time_to_stop()
    assert seen.avoided == {"a"}
    assert seen.pause() == 0


def test_a_node_that_works_now_and_then_is_kept() -> None:
    seen = troubles("a", "b")
    for number in range(5 * NODE_TROUBLES):
        seen.consider(of(OK if number % NODE_TROUBLES == 0 else UNSTORED, number))
        assert not seen.is_time_to_stop()


def test_a_store_that_is_away_for_all_is_waited_for_and_then_the_job_stops() -> None:
    seen, numbers = troubles("a"), itertools.count()

    def one_wait() -> float:
        while not seen.is_time_to_stop():
            seen.consider(of(UNSTORED, next(numbers)))
        return seen.pause()

    assert tuple(one_wait() for _ in WAITS) == WAITS
    with pytest.raises(JobFault, match=f"r{NODE_TROUBLES * (len(WAITS) + 1) - 1}: why"):
        one_wait()


def test_what_was_given_out_before_a_wait_counts_for_no_further_one() -> None:
    seen = troubles("a")
    for number in range(5 * NODE_TROUBLES):
        assert seen.consider(of(UNSTORED, number), fresh=False) is None
    assert not seen.is_time_to_stop()


def test_one_request_has_a_budget_of_tries() -> None:
    seen = troubles("a", "b")
    for _ in range(TRIES - 1):
        assert seen.consider(of(UNSTORED)) is None
        seen.consider(of(OK, 1))
    with pytest.raises(JobFault, match="r0: why"):
        seen.consider(of(UNSTORED))


def test_rows_that_are_handed_back_are_no_trouble() -> None:
    seen = troubles("a")
    for number in range(3 * NODE_TROUBLES):
        assert seen.consider(of(AGAIN, number)) is None
        assert not seen.is_time_to_stop()
    assert seen.pause() == 0


def test_the_jobs_model_stops_the_job_where_no_other_node_may_have_it() -> None:
    seen = troubles("a", "b")
    assert seen.consider(of(UNLOADABLE, 0, "a")) is None
    assert seen.is_time_to_stop()
    assert seen.avoided == {"a"}
    with pytest.raises(ModelFault, match="why"):
        seen.consider(of(UNLOADABLE, 1, "b"))


def test_a_model_that_is_not_loaded_in_time_stops_the_job_where_no_node_is_left() -> None:
    seen = troubles("a", "b")
    assert seen.consider(of(UNSTARTED, 0, "a")) is None
    assert seen.is_time_to_stop()
    with pytest.raises(JobFault, match="why"):
        seen.consider(of(UNSTARTED, 1, "b"))


def test_a_picture_that_is_gone_fails_its_row_and_one_that_a_node_cannot_read_does_not(
    tmp_path: Path,
) -> None:
    manifest = Location.of(str(tmp_path / "in/manifest.parquet"))
    (one, *_) = works_of(work(tmp_path / "in", "sleep://0", 1))
    settle, unread = Settling(manifest, "sleep://0"), of(UNREAD)
    assert settle(unread, one) is None
    picture = tmp_path / "in/files/good0.png"
    kept = picture.read_bytes()
    picture.unlink()
    failed = settle(unread, one)
    assert failed is not None
    assert (failed.status, failed.own) == (FAILED, True)
    assert failed.reason == f"image: {picture}: No such file or directory"
    (tmp_path / "in/manifest.parquet").unlink()  # the whole mount has gone
    assert settle(unread, one) is None
    picture.write_bytes(kept)
    assert settle(of(UNSTORED), one) is None


def test_a_model_of_a_rows_own_fails_the_row_and_the_jobs_does_not(tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[1]["model"] = "sleep://0?fail=cut"

    works = works_of(work(tmp_path / "in", "sleep://0", 2, change))
    settle = Settling(Location.of(str(tmp_path)), "sleep://0")
    by_model = {one.model: settle(of(UNLOADABLE), one) for one in works}
    assert by_model["sleep://0"] is None
    own = by_model["sleep://0?fail=cut"]
    assert own == replace(of(UNLOADABLE), status=FAILED, own=True)
