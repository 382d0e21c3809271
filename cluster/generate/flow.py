"""Rows through workers: a pool that lives as long as the job, and every row accounted for.

Rows are given out a call at a time, as workers have room for them, and windows of them are taken
as they run out, so that neither grows with the job. Rows of a call that has no answer (its worker
died) go through again; those on whom workers die too often, or that were in a call that took too
long, go one at a time; what is lost then is lost through itself, unless a canary dies as well. Rows
in a trouble that is not theirs go through again (:mod:`cluster.generate.troubles`).
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence

import pyarrow as pa

from adabldm.core.faults import JobFault
from cluster.generate.alone import Alone
from cluster.generate.canary import sound_nodes
from cluster.generate.log import event
from cluster.generate.nodes import nodes_for
from cluster.generate.pool import Pool, block_size
from cluster.generate.protocol import (
    AGAIN,
    CANARY,
    FAILED,
    HUNG,
    OK,
    OVER_TIME,
    REJECTED,
    UNSTARTED,
    Fact,
    Work,
    fact_table,
    facts_of,
)
from cluster.generate.settings import WorkerSettings
from cluster.generate.suspects import Suspects
from cluster.generate.troubles import Troubles
from cluster.generate.workers import Call, Held, Outcome, RayWorkers, Workers

CANARY_DEATHS = 2
AGAIN_SECONDS = 1.0
"""How long a request waits before it goes through again."""
TICK_SECONDS = 0.5
LAST_SECONDS = 120.0
"""What is under way when a run is over may take so long."""

Settle = Callable[[Fact, Work], Fact | None]
"""The final fact of a request in trouble, if the trouble is certainly its own; else None."""


def run(
    windows: Iterable[Sequence[Work]],
    rows: int,
    pool: Pool,
    settings: WorkerSettings,
    settle: Settle = lambda *_: None,
    *,
    made_before: bool = False,
    workers: Workers | None = None,
    over: Callable[[], JobFault | None] = lambda: None,
) -> Generator[pa.Table, None, None]:
    """Work on ``windows``, which have ``rows`` rows in all; yields
    :data:`~cluster.generate.protocol.FACTS` as they come, each row once, with a final status, and
    an empty table now and then while none comes.

    ``settle`` tells whether a row's trouble is its own; ``made_before`` whether the job's model has
    made any request before. Raises :class:`JobFault` when workers die or fail whatever the row, or
    a trouble does not pass, :class:`~cluster.models.loading.ModelFault`, and what ``windows``
    raises, once what was given out has come back. Needs a connection to Ray, unless there are
    ``workers``. Once ``over`` tells why, nothing more is given out, and it is raised when what is
    under way has come back, or takes too long.
    """
    held = workers or RayWorkers(pool, settings)
    flow = _Flow(windows, rows, pool, settings, settle, held, Suspects(made_before), over)
    try:
        yield from flow.facts()
    finally:
        held.end()


class _Flow:
    """A job's rows on their way."""

    def __init__(
        self,
        windows: Iterable[Sequence[Work]],
        rows: int,
        pool: Pool,
        settings: WorkerSettings,
        settle: Settle,
        workers: Workers,
        suspects: Suspects,
        over: Callable[[], JobFault | None],
    ) -> None:
        self._windows = iter(windows)
        self._exhausted = False
        self._error: Exception | None = None
        self._pool, self._settings, self._workers = pool, settings, workers
        self._ungiven = rows
        self._called: dict[str, Work] = {}
        self._troubles = Troubles(
            lambda fact: settle(fact, self._called[fact.request_id]), lambda: nodes_for(pool.gpus)
        )
        self._suspects = suspects
        self._over, self._over_since = over, math.inf
        self._alone = Alone()
        self._survivors = 0
        self._sound: set[str] = set()
        self._at_hand: deque[Work] = deque()
        self._in_a_hurry = False
        self._again: deque[tuple[float, Work]] = deque()
        self._under_way = 0
        self._canary_is_out = False
        self._canary_deaths = 0
        self._resume_at = 0.0

    def facts(self) -> Generator[pa.Table, None, None]:
        while True:
            self._give()
            if self._is_done():
                break
            outcome = self._workers.next(0 if self._in_a_hurry else TICK_SECONDS)
            yield fact_table(self._of(outcome) if outcome is not None else ())
            if self._is_to_judge() and not self._is_over():
                yield fact_table(self._judged())
        if self._over_since == math.inf:
            yield fact_table(self._suspects.rest())
        if self._error is not None:
            raise self._error

    def _is_over(self) -> bool:
        if self._error is None and (why := self._over()) is not None:
            self._error, self._over_since = why, time.monotonic()
        return self._over_since < math.inf

    def _is_done(self) -> bool:
        if self._is_over():
            return not self._under_way or time.monotonic() > self._over_since + LAST_SECONDS
        waiting = (self._at_hand, self._again, self._alone.is_busy, self._alone.lost)
        more = any(waiting) or self._suspects.canary is not None
        return self._exhausted and not more and not self._under_way

    def _needs_rows(self) -> bool:
        enough = self._pool.batch_size * self._pool.most
        return not self._exhausted and len(self._at_hand) < enough

    def _take_window(self) -> None:
        try:
            window = next(self._windows, None)
        except Exception as error:  # told once what was given out has come back
            window, self._error = None, error
        self._exhausted = window is None
        self._at_hand.extend(window or ())

    def _give(self) -> None:
        """Give out what workers have room for."""
        self._in_a_hurry = False
        if self._is_over():
            self._workers.spare(0)
            return
        if time.monotonic() < self._resume_at:
            return
        if self._suspects.canary is not None:
            self._give_canary(self._suspects.canary)
            return
        if self._needs_rows():
            self._take_window()
            self._in_a_hurry = self._needs_rows()
        others = len(self._at_hand) + len(self._again) + self._under_way
        if self._alone.has_turn(others=others):
            self._give_alone()
        elif not self._is_to_judge():
            self._give_all()

    def _give_all(self) -> None:
        waiting = len(self._at_hand) + len(self._again)
        if waiting:
            self._workers.want(self._under_way + math.ceil(waiting / self._size()))
        elif self._exhausted:
            self._workers.spare(self._under_way)
        while (worker := self._workers.free()) and (works := self._next()):
            self._call(worker, works)

    def _size(self) -> int:
        return block_size(max(1, self._ungiven + len(self._again)), self._pool)

    def _give_canary(self, work: Work) -> None:
        self._workers.want(1)
        if not self._canary_is_out and (worker := self._workers.free()):
            self._canary_is_out = True
            self._call(worker, [work])

    def _give_alone(self) -> None:
        self._workers.want(self._under_way + len(self._alone.waiting))
        while self._alone.waiting and (worker := self._workers.free(idle=True)):
            self._call(worker, [self._alone.give()], alone=True)

    def _next(self) -> list[Work]:
        """The rows of the next call: those that are to go through again, or new ones."""
        now, size, some = time.monotonic(), self._size(), list[Work]()
        while self._again and self._again[0][0] <= now and len(some) < size:
            some.append(self._again.popleft()[1])
        if not some:
            some = [self._at_hand.popleft() for _ in range(min(size, len(self._at_hand)))]
            self._ungiven -= len(some)
        return some

    def _call(self, worker: Held, works: Sequence[Work], *, alone: bool = False) -> None:
        self._under_way += 1
        self._workers.give(worker, Call(works, time.monotonic(), alone))

    def _of(self, outcome: Outcome) -> list[Fact]:
        """The facts that stand, now that a call has come back."""
        call = outcome.call
        self._under_way -= 1
        if call.alone:
            self._alone.back()
        if outcome.facts is None:
            return self._lose(outcome)
        self._called = {work.request_id: work for work in call.works}
        fresh, standing = call.given >= self._resume_at, list[Fact]()
        for fact in facts_of(outcome.facts):
            work = self._called[fact.request_id]
            final = self._troubles.consider(fact, fresh=fresh)
            if _ends_its_worker(fact):
                self._workers.leave(outcome.worker)
            if final is not None:
                standing += self._final(final, work)
            elif fact.status == HUNG and fact.request_id != CANARY:
                self._alone.waiting.append(work)
            else:
                self._go_again(work, fact.reason)
        if self._troubles.is_time_to_stop():
            self._workers.avoid(self._troubles.avoided)
            seconds = self._troubles.pause()
            event("trouble", avoided=sorted(self._troubles.avoided), waits_seconds=seconds)
            self._resume_at = max(self._resume_at, time.monotonic() + seconds)
        return standing

    def _final(self, fact: Fact, work: Work) -> list[Fact]:
        """The facts that stand, now that ``work`` has its own."""
        if fact.request_id == CANARY:
            self._canary_is_out = False
            return self._suspects.tried(fact)
        self._survivors += 1
        if fact.status in (OK, REJECTED) and fact.node is not None:
            self._sound.add(fact.node)
        self._alone.forget(fact.request_id)
        return self._suspects.take(fact, work)

    def _go_again(self, work: Work, reason: str | None) -> None:
        event("again", request_id=work.request_id, reason=reason)
        if work.request_id == CANARY:
            self._canary_is_out = False
        else:
            self._again.append((time.monotonic() + AGAIN_SECONDS, work))

    def _lose(self, outcome: Outcome) -> list[Fact]:
        """A call has no answer; the facts that stand now."""
        call = outcome.call
        for work in call.works:
            if work.request_id == CANARY and outcome.may_be_theirs:
                self._canary_deaths += 1
                if self._canary_deaths == CANARY_DEATHS:
                    return self._final(_failed(work, outcome.reason), work)
                self._go_again(work, outcome.reason)
            elif not outcome.may_be_theirs or self._alone.died(
                work, outcome.reason, alone=call.alone
            ):
                self._go_again(work, outcome.reason)
        return []

    def _is_to_judge(self) -> bool:
        return bool(self._alone.lost) and not self._alone.is_busy

    def _judged(self) -> list[Fact]:
        """What is lost through itself; the rest goes through again, without the nodes on which
        whatever they are given dies. Raises :class:`JobFault`."""
        nodes = nodes_for(self._pool.gpus) - self._troubles.avoided
        unseen = nodes - self._sound
        if nodes and unseen and not (self._survivors and len(nodes) < 2):
            if self._under_way:
                return []  # a canary needs the room that they have
            self._workers.end()
            work, _ = self._alone.lost[0]
            self._sound |= sound_nodes(work, unseen, self._pool.gpus, self._settings)
            if not self._sound & nodes:
                raise JobFault("every worker died on every request that it was given")
        lost = self._alone.take_lost()
        if sick := nodes - self._sound if unseen and len(nodes) > 1 else set():
            self._troubles.avoided |= sick
            self._workers.avoid(self._troubles.avoided)
        if sick or not nodes:
            for work, reason in lost:
                self._go_again(work, reason)
            return []
        return [fact for work, reason in lost for fact in self._final(_failed(work, reason), work)]


def _ends_its_worker(fact: Fact) -> bool:
    """Whether the worker that told it is about to end."""
    hung = fact.reason is not None and fact.reason.endswith(OVER_TIME)
    return hung or fact.status in (AGAIN, HUNG, UNSTARTED)


def _failed(work: Work, reason: str) -> Fact:
    return Fact(request_id=work.request_id, status=FAILED, reason=reason, own=True)
