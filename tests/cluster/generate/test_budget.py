"""A run ends in good order when its time is over or its money spent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault, JobFault
from adabldm.sampling.options import ExactOptions
from cluster.generate.budget import Budget, Spending
from cluster.generate.flow import run
from cluster.generate.pool import Pool
from cluster.generate.protocol import OK, Fact, Work, fact_table, works_of
from cluster.generate.worker import WorkerSettings
from cluster.generate.workers import Call, Held, Outcome
from cluster.storage.location import Location
from tests.cluster.generate.test_worker import work


class Prompt:
    """Workers that answer at once."""

    def __init__(self) -> None:
        self.ended = False
        self._calls: list[tuple[Held, Call]] = []
        self._one = Held(None, node="a")

    def want(self, number: int) -> None: ...

    def spare(self, number: int) -> None: ...

    def free(self, *, idle: bool = False) -> Held | None:
        del idle
        return None if self._calls else self._one

    def give(self, worker: Held, call: Call) -> None:
        self._calls.append((worker, call))

    def next(self, seconds: float) -> Outcome | None:
        del seconds
        if not self._calls:
            return None
        worker, call = self._calls.pop()
        facts = (Fact(request_id=one.request_id, status=OK, node="a") for one in call.works)
        return Outcome(worker, call, facts=fact_table(facts))

    def leave(self, worker: Held) -> None: ...

    def avoid(self, nodes: object) -> None: ...

    def end(self) -> None:
        self.ended = True

    def seconds(self) -> float:
        return 0.0


def test_what_is_under_way_is_finished_and_nothing_more_is_given_out(tmp_path: Path) -> None:
    works = works_of(work(tmp_path / "in", "sleep://0", 12))
    pool = Pool(least=1, most=1, gpus=0, batch_size=2)
    settings = WorkerSettings(
        output=Location.of(str(tmp_path / "out")), options=ExactOptions(), device="cpu"
    )
    made: list[str] = []
    workers = Prompt()
    flow = run(
        windows(works),
        12,
        pool,
        settings,
        workers=workers,
        over=lambda: JobFault("--max-hours: 1: the time is over") if len(made) >= 4 else None,
    )

    def collect() -> None:
        for table in flow:
            made.extend(table["request_id"].to_pylist())

    with pytest.raises(JobFault, match="the time is over"):
        collect()
    assert len(made) == 4
    assert workers.ended


def test_windows_are_taken_as_they_are_needed(tmp_path: Path) -> None:
    works = works_of(work(tmp_path / "in", "sleep://0", 12))
    taken: list[int] = []

    def one_by_one() -> Iterator[list[Work]]:
        for number, one in enumerate(works):
            taken.append(number)
            yield [one]

    pool = Pool(least=1, most=1, gpus=0, batch_size=1)
    settings = WorkerSettings(
        output=Location.of(str(tmp_path / "out")), options=ExactOptions(), device="cpu"
    )
    ahead, made = [], 0
    for table in run(one_by_one(), 12, pool, settings, workers=Prompt()):
        made += table.num_rows
        ahead.append(len(taken) - made)
    assert made == 12
    assert max(ahead) <= 2


def windows(works: list[Work]) -> Iterator[list[Work]]:
    for start in range(0, len(works), 4):
        yield works[start : start + 4]


def test_what_earlier_runs_have_cost_counts() -> None:
    budget = Budget(price=3.0, max_cost=10.0)
    seconds = [0.0]
    spending = Spending(budget, lambda: seconds[0], hours_before=2.0, cost_before=6.0)
    assert spending.over() is None
    spending.refuse_spent()
    seconds[0] = 3600 * 4 / 3
    assert spending.cost == pytest.approx(10)
    assert spending.worker_hours == pytest.approx(2 + 4 / 3)
    assert str(spending.over()) == "--max-cost: 10: 10.00 are spent"
    with pytest.raises(InputFault, match=r"--max-cost: 10.0: earlier runs .* have cost 10.50"):
        Spending(budget, lambda: 0.0, cost_before=10.5).refuse_spent()


def test_without_a_price_there_is_no_cost_and_no_end() -> None:
    spending = Spending(Budget(), lambda: 1e9)
    assert spending.cost is None
    assert spending.over() is None
    over = Spending(Budget(max_hours=1e-12), lambda: 0.0).over()
    assert str(over) == "--max-hours: 1e-12: the time is over"
