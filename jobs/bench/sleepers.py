"""Simulated workers."""

from __future__ import annotations

import hashlib
import heapq
import time
from collections.abc import Collection
from itertools import count

from cluster.generate.protocol import OK, Fact, Work, fact_table
from cluster.generate.workers import Call, Held, Outcome
from jobs.bench.scale_inputs import PICTURE


class Sleepers:
    """Simulated workers: a call comes back after ``rest`` seconds a request. One call is under way
    in each, another waits."""

    def __init__(self, number: int, rest: float) -> None:
        self._rest, self._number = rest, number
        self._idle = [Held(None, node="here") for _ in range(number)]
        self._free = list(self._idle)
        self._ends: dict[int, float] = {}
        self._calls: list[tuple[float, int, Held, Call]] = []
        self._count = count()
        self.all_given = 0.0
        """When every worker had its first call."""

    def want(self, number: int) -> None:
        """They are there."""

    def spare(self, number: int) -> None:
        """They stay."""

    def free(self, *, idle: bool = False) -> Held | None:
        """As :class:`cluster.generate.workers.Workers` has it."""
        del idle
        return self._free[-1] if self._free else None

    def give(self, worker: Held, call: Call) -> None:
        """It comes back later."""
        worker.under_way += 1
        self._free.pop()
        if worker.under_way == 1:
            self._free.insert(0, worker)
        end = max(self._ends.get(worker.number, 0.0), time.perf_counter())
        end += self._rest * len(call.works)
        self._ends[worker.number] = end
        if len(self._ends) == self._number and not self.all_given:
            self.all_given = time.perf_counter()
        heapq.heappush(self._calls, (end, next(self._count), worker, call))

    def next(self, seconds: float) -> Outcome | None:
        """The call that comes back first, if it does in so long."""
        if not self._calls or self._calls[0][0] - time.perf_counter() > seconds:
            time.sleep(seconds)
            return None
        end, _, worker, call = heapq.heappop(self._calls)
        time.sleep(max(0.0, end - time.perf_counter()))
        worker.under_way -= 1
        self._free.append(worker)
        return Outcome(worker, call, facts=fact_table(map(self._fact, call.works)))

    def leave(self, worker: Held) -> None:
        """They stay."""

    def avoid(self, nodes: Collection[str]) -> None:
        """They stay."""

    def end(self) -> None:
        """They are gone."""

    def seconds(self) -> float:
        """None are paid for."""
        return 0.0

    def _fact(self, work: Work) -> Fact:
        digest = hashlib.sha256(work.request_id.encode()).hexdigest()
        return Fact(
            request_id=work.request_id,
            status=OK,
            image=PICTURE,
            mask=PICTURE,
            image_sha256=digest,
            mask_sha256=digest[::-1],
            extras=[],
            quality=[("coverage", 0.5), ("seam", 1.0)],
            seconds=[("sleep", self._rest), ("store", 0.1)],
            made_by="here:1",
            node="here",
        )
