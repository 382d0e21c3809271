"""The driver: takes facts from the workers and alone commits them, in sequence.

A request is planned -> sampled -> judged -> stored -> committed: the windows have what is planned,
the workers do the next three (:mod:`cluster.generate.worker`), and here its row is committed, which
publishes it (:meth:`Driver._take`, :meth:`Driver._commit`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread

import pyarrow as pa

from adabldm.core.faults import JobFault, one_line
from cluster.generate.budget import Spending
from cluster.generate.flow import run
from cluster.generate.log import event
from cluster.generate.pool import Pool
from cluster.generate.protocol import (
    ALL_EXTRAS,
    FAILED,
    OK,
    REJECTED,
    Fact,
    Request,
    Work,
    facts_of,
    index_row,
)
from cluster.generate.settling import Settling
from cluster.generate.telling import Telling
from cluster.generate.windows import PendingWindow
from cluster.generate.worker import WorkerSettings
from cluster.generate.workers import Workers
from cluster.manifest.reader import Row
from cluster.manifest.request_checks import Fingerprints
from cluster.models.loading import ModelFault
from cluster.output.index import Ledger, Superseded
from cluster.output.paths import extra_key, image_key, mask_key
from cluster.output.progress import State
from cluster.storage.location import Location
from cluster.storage.patience import patiently

COMMIT_ROWS = 10_000
COMMIT_SHARE = 0.01
"""What waits to be committed, and would be lost, is at most this part of a run's time,"""
COMMIT_SECONDS = 2.0, 15.0
"""but not less and not more than this."""
TICK_SECONDS = 0.5
LAST_SECONDS = 2.0
"""For the workers to be ended."""

Arrived = SimpleQueue[pa.Table | BaseException | None]


@dataclass
class Tally:
    """Requests committed by this run."""

    made: int = 0
    rejected: int = 0
    failed: int = 0

    @property
    def committed(self) -> int:
        return self.made + self.rejected + self.failed


@dataclass
class Driver:
    """Commits to ``ledger``, with columns ``schema``, what a pool of workers makes of ``rows``
    requests.

    ``progress`` is called often with what is committed and what waits to be; ``settling`` tells
    whose fault a trouble is; ``made_before`` is whether earlier runs have made any request;
    ``telling`` tells others how far it is; ``spending`` when it is to end. Without ``workers``
    they are Ray's.
    """

    ledger: Ledger
    schema: pa.Schema
    pool: Pool
    settings: WorkerSettings
    model: str
    config_fingerprint: str
    progress: Callable[[Tally, int], None]
    settling: Settling
    rows: int
    workers: Workers | None = None
    spending: Spending | None = None
    made_before: bool = False
    telling: Telling | None = None
    tally: Tally = field(default_factory=Tally)
    _waiting: list[Row] = field(default_factory=list)
    _given: dict[str, tuple[Request, Fingerprints]] = field(default_factory=dict)
    _seen: set[str | None] = field(default_factory=set)
    _began: float = field(default_factory=time.monotonic)
    _since: float = 0.0

    def drive(self, windows: Iterator[PendingWindow]) -> Tally:
        """Work through ``windows``.

        Raises :class:`~cluster.models.loading.ModelFault` and :class:`JobFault`; whatever was done
        is committed first, whatever stops it, unless another driver has taken over.
        """
        try:
            with closing(self._facts(windows)) as facts:
                for fact in facts:
                    self._take(fact)
        except (Exception, KeyboardInterrupt) as error:
            if not isinstance(error, Superseded):
                self._commit()
                self._tell("stopped", one_line(error))
            raise
        self._commit()
        self._tell("finished")
        self.ledger.tidy()
        return self.tally

    def _facts(self, windows: Iterator[PendingWindow]) -> Generator[Fact | None, None, None]:
        """Facts of the windows' requests as they come, None when time passes without any."""
        arrived: Arrived = SimpleQueue()
        stopped = Event()
        flow = Thread(
            target=self._collect, args=(windows, arrived, stopped), daemon=True, name="flow"
        )
        flow.start()
        try:
            while True:
                try:
                    item = arrived.get(timeout=TICK_SECONDS)
                except Empty:
                    yield None
                    continue
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise _told(item)
                yield from facts_of(item)
        finally:
            stopped.set()
            flow.join(LAST_SECONDS)

    def _collect(self, windows: Iterator[PendingWindow], arrived: Arrived, stopped: Event) -> None:
        """What comes from the workers, until it is ``stopped``; at the end None, or an error."""

        def works() -> Iterator[list[Work]]:
            for window in windows:
                self._take_on(window)
                yield window.ordered()

        try:
            flow = run(
                works(),
                self.rows,
                self.pool,
                self.settings,
                self.settling,
                made_before=self.made_before,
                workers=self.workers,
                over=self.spending.over if self.spending is not None else lambda: None,
            )
            with closing(flow) as results:
                for table in results:
                    if table.num_rows:
                        arrived.put(table)
                    if stopped.is_set():
                        return
            arrived.put(None)
        except BaseException as error:
            arrived.put(error)

    def _take_on(self, window: PendingWindow) -> None:
        """The window's requests are about to be given out."""
        for request_id, request in window.requests.items():
            self._given[request_id] = request, window.prints[request_id]

    def _take(self, fact: Fact | None) -> None:
        if fact is not None and fact.request_id in self._given:
            self._refuse_unseen(fact)
            if self.telling is not None:
                self.telling.take(fact)
            self._wait_with(self._index_row(fact))
            event(
                fact.status,
                request_id=fact.request_id,
                reason=fact.reason,
                worker=fact.made_by,
                seconds=dict(fact.seconds) if fact.seconds else None,
            )
        if len(self._waiting) >= COMMIT_ROWS or self._waited() >= self._patience():
            self._commit()
        self.progress(self.tally, len(self._waiting))
        self._tell("running")

    def _tell(self, state: State, reason: str | None = None) -> None:
        if state != "running":
            event(state, reason=reason, **vars(self.tally))
        if self.telling is not None:
            self.telling.tell(self.tally.committed, state, reason)

    def _refuse_unseen(self, fact: Fact) -> None:
        """Stop if the first pair that a node has stored is not there for this program."""
        if fact.image is not None and fact.node not in self._seen:
            _refuse_lost(self.settings.output, [{"status": fact.status, "image": fact.image}])
            self._seen.add(fact.node)

    def _wait_with(self, row: Row) -> None:
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(row)

    def _waited(self) -> float:
        """Seconds since the first row that waits came."""
        return time.monotonic() - self._since if self._waiting else 0.0

    def _patience(self) -> float:
        """Seconds that a row may wait: a long run makes fewer, larger commits."""
        least, most = COMMIT_SECONDS
        return min(most, max(least, COMMIT_SHARE * (time.monotonic() - self._began)))

    def _index_row(self, fact: Fact) -> Row:
        """The request's row of the index; the request is forgotten, so there is one only."""
        request, prints = self._given.pop(fact.request_id)
        return index_row(
            request, prints, fact, model=self.model, config_fingerprint=self.config_fingerprint
        )

    def _commit(self) -> None:
        """Commit what waits; then clear away what failed requests may have left."""
        if not self._waiting:
            return
        rows, self._waiting = self._waiting, []
        _refuse_lost(self.settings.output, rows)
        self.ledger.append(pa.Table.from_pylist(rows, schema=self.schema))
        event("committed", rows=len(rows), version=self.ledger.version)
        failed = [row for row in rows if row["status"] == FAILED]
        for row in failed:
            _remove_pictures(self.settings.output, row, self.settings.shards)
        rejected = sum(row["status"] == REJECTED for row in rows)
        self.tally.failed += len(failed)
        self.tally.rejected += rejected
        self.tally.made += len(rows) - len(failed) - rejected


def _told(error: BaseException) -> BaseException:
    """What went wrong in the flow, in the words of a job that cannot go on."""
    if isinstance(error, (JobFault, ModelFault)):
        return error
    lines = str(error).splitlines() or [""]
    fault = JobFault(f"Ray: {type(error).__name__}: {lines[0]}")
    fault.__cause__ = error
    return fault


def _refuse_lost(output: Location, rows: list[Row]) -> None:
    """Stop if what a worker has stored is not there for this program."""
    made = next((row["image"] for row in rows if row["status"] == OK), None)
    if made is None:
        return
    place = output.join(made)
    if not patiently(place, place.exists):
        rule = "a worker has stored it, and it is not here; is the output on a disk that all share?"
        raise JobFault(f"{place.shown}: {rule}")


def _remove_pictures(output: Location, row: Row, shards: int) -> None:
    names = (row["object"], row["defect"], row["request_id"])
    extras = [extra_key(row["request_id"], name, shards) for name in ALL_EXTRAS]
    for key in (image_key(*names, shards), mask_key(*names, shards), *extras):
        place = output.join(key)
        patiently(place, place.remove)
