"""Every row gets one final fact, whatever becomes of its workers; without Ray."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from adabldm.core.faults import JobFault
from adabldm.sampling.options import ExactOptions
from cluster.generate import alone, flow, suspects, troubles
from cluster.generate.flow import run
from cluster.generate.pool import Pool
from cluster.generate.protocol import (
    AGAIN,
    CANARY,
    FAILED,
    HUNG,
    OK,
    UNSTORED,
    Fact,
    Status,
    Work,
    fact_table,
    works_of,
)
from cluster.generate.worker import WorkerSettings
from cluster.generate.workers import WORKER_DIED, Call, Held, Outcome
from cluster.storage.location import Location
from tests.cluster.generate.test_worker import work

Answer = Callable[[list[str], bool], dict[str, Status] | None]
"""By ids of a call, and whether it is alone: statuses, or None if the worker dies."""
ROWS = 10


class Scripted:
    """Workers on nodes in turn, each of which answers as it is told to."""

    def __init__(self, answer: Answer, nodes: Collection[str] = ("a",)) -> None:
        self._answer, self._nodes = answer, deque(nodes)
        self._calls: deque[tuple[Held, Call]] = deque()
        self._held: list[Held] = []
        self.calls: list[list[str]] = []
        self.started = 0

    def want(self, number: int) -> None:
        while len(self._held) < min(number, 2):
            self._nodes.rotate()
            self._held.append(Held(None, node=self._nodes[0]))
            self.started += 1

    def spare(self, number: int) -> None: ...

    def free(self, *, idle: bool = False) -> Held | None:
        room = 1 if idle else 2
        return next((one for one in self._held if one.under_way < room), None)

    def give(self, worker: Held, call: Call) -> None:
        worker.under_way += 1
        self._calls.append((worker, call))
        self.calls.append([one.request_id for one in call.works])

    def next(self, seconds: float) -> Outcome | None:
        del seconds
        if not self._calls:
            return None
        worker, call = self._calls.popleft()
        worker.under_way -= 1
        ids = [one.request_id for one in call.works]
        statuses = self._answer(ids, call.alone)
        if statuses is None:
            self.leave(worker)
            return Outcome(worker, call, reason=WORKER_DIED, may_be_theirs=True)
        facts = (
            Fact(request_id=one, status=status, reason=None if status == OK else "why", node="a")
            for one, status in statuses.items()
        )
        return Outcome(worker, call, facts=fact_table(facts))

    def leave(self, worker: Held) -> None:
        if worker in self._held:
            self._held.remove(worker)

    def avoid(self, nodes: Collection[str]) -> None:
        self._held = [one for one in self._held if one.node not in nodes]

    def end(self) -> None:
        self._held.clear()

    def seconds(self) -> float:
        return 0.0


@pytest.fixture
def works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Work]:
    monkeypatch.setattr(flow, "nodes_for", lambda _: {"a"})
    monkeypatch.setattr(flow, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(troubles, "WAITS", (0.0, 0.0))
    return works_of(work(tmp_path / "in", "sleep://0", ROWS))


def facts_of(works: list[Work], workers: Scripted) -> dict[str, tuple[str, str | None]]:
    """Status and reason by id."""
    settings = WorkerSettings(output=Location.of("/nowhere"), options=ExactOptions(), device="cpu")
    pool = Pool(least=1, most=2, gpus=1, batch_size=2)
    rows = [
        row
        for table in run([works], ROWS, pool, settings, workers=workers)
        for row in table.to_pylist()
    ]
    found = {row["request_id"]: (row["status"], row["reason"]) for row in rows}
    assert len(found) == len(rows) == ROWS
    return found


def test_a_row_that_kills_its_workers_fails_and_its_neighbours_are_made(
    works: list[Work],
) -> None:
    workers = Scripted(lambda ids, _: None if "r0003" in ids else dict.fromkeys(ids, OK))
    found = facts_of(works, workers)
    assert found.pop("r0003") == (FAILED, WORKER_DIED)
    assert set(found.values()) == {(OK, None)}
    deaths = sum("r0003" in call for call in workers.calls)
    assert deaths == alone.DEATHS + alone.DEATHS_ALONE


def test_a_row_that_hangs_goes_alone_and_its_neighbours_are_made(works: list[Work]) -> None:
    def answer(ids: list[str], is_alone: bool) -> dict[str, Status]:
        if "r0003" not in ids:
            return dict.fromkeys(ids, OK)
        return dict.fromkeys(ids, FAILED if is_alone else HUNG)

    workers = Scripted(answer)
    found = facts_of(works, workers)
    assert found.pop("r0003") == (FAILED, "why")
    assert set(found.values()) == {(OK, None)}
    assert workers.started > 2


def test_what_is_handed_back_goes_to_another_worker(works: list[Work]) -> None:
    seen: Counter[str] = Counter()

    def answer(ids: list[str], _: bool) -> dict[str, Status]:
        seen.update(ids)
        return {one: OK if seen[one] > 1 else AGAIN for one in ids}

    assert set(facts_of(works, Scripted(answer)).values()) == {(OK, None)}
    assert set(seen.values()) == {2}


def test_workers_that_die_on_everything_condemn_nothing(
    works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "sound_nodes", lambda *_: set())
    with pytest.raises(JobFault, match="every worker died on every request"):
        facts_of(works, Scripted(lambda *_: None))


def test_rows_that_kill_on_a_sound_node_fail_and_the_job_ends(
    works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "HOPELESS", 3)
    monkeypatch.setattr(flow, "sound_nodes", lambda *_: {"a"})
    assert set(facts_of(works, Scripted(lambda *_: None)).values()) == {(FAILED, WORKER_DIED)}


def test_a_sick_node_is_left_and_its_rows_go_through_elsewhere(
    works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    sick = ["b"]

    def sound(_: Work, nodes: Collection[str], *__: object) -> set[str]:
        sick.clear()  # from now on only the sound one is left
        return set(nodes) - {"b"}

    monkeypatch.setattr(flow, "nodes_for", lambda _: {"a", "b"})
    monkeypatch.setattr(flow, "sound_nodes", sound)
    workers = Scripted(lambda ids, _: None if sick else dict.fromkeys(ids, OK), ("a", "b"))
    assert set(facts_of(works, workers).values()) == {(OK, None)}


def test_a_store_that_stays_away_stops_the_job(works: list[Work]) -> None:
    with pytest.raises(JobFault, match=r"^r\d+: why"):
        facts_of(works, Scripted(lambda ids, _: dict.fromkeys(ids, UNSTORED)))


@pytest.mark.parametrize("drawn", [OK, FAILED])
def test_when_all_fail_a_drawn_request_decides(
    drawn: Status, works: list[Work], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspects, "HOPELESS_FAILURES", ROWS)
    workers = Scripted(lambda ids, _: {one: drawn if one == CANARY else FAILED for one in ids})
    if drawn == OK:
        assert set(facts_of(works, workers).values()) == {(FAILED, "why")}
    else:
        with pytest.raises(JobFault, match="the first 10 requests all failed: why"):
            facts_of(works, workers)
    assert sum(CANARY in call for call in workers.calls) == 1


def test_a_fault_of_the_windows_is_told_once_what_was_given_out_is_back(
    works: list[Work],
) -> None:
    made: list[str] = []

    def windows() -> object:
        yield works[:4]
        raise JobFault("the manifest has changed")

    settings = WorkerSettings(output=Location.of("/nowhere"), options=ExactOptions(), device="cpu")
    workers = Scripted(lambda ids, _: dict.fromkeys(ids, OK))
    pool = Pool(least=1, most=2, gpus=1, batch_size=2)

    def collect() -> None:
        for table in run(windows(), ROWS, pool, settings, workers=workers):  # type: ignore[arg-type]
            made.extend(table["request_id"].to_pylist())

    with pytest.raises(JobFault, match="has changed"):
        collect()
    assert len(made) == 4
