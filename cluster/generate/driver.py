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
from cluster.generate.flow import Pool, run
from cluster.generate.protocol import (
    ALL_EXTRAS,
    FAILED,
    OK,
    REJECTED,
    Fact,
    facts_of,
    index_row,
)
from cluster.generate.settling import Settling
from cluster.generate.telling import Telling
from cluster.generate.windows import PendingWindow
from cluster.generate.worker import WorkerSettings
from cluster.manifest.reader import Row
from cluster.models.loading import ModelFault
from cluster.output.index import Ledger, Superseded
from cluster.output.paths import extra_key, image_key, mask_key
from cluster.output.progress import State
from cluster.storage.location import Location
from cluster.storage.patience import patiently

COMMIT_ROWS = 1000
COMMIT_SECONDS = 2.0
HOPELESS_FAILURES = 100
"""So many requests that fail, and none that does not: it is not the requests."""
INDEX_FILES = 500
TICK_SECONDS = 0.5


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
    """Commits to ``ledger``, with columns ``schema``, what a pool of workers makes.

    ``progress`` is called often with what is committed and what waits to be; ``settling`` tells
    whose fault a trouble is; ``made_before`` is whether earlier runs have made any request;
    ``telling`` tells others how far it is.
    """

    ledger: Ledger
    schema: pa.Schema
    pool: Pool
    settings: WorkerSettings
    model: str
    config_fingerprint: str
    progress: Callable[[Tally, int], None]
    settling: Settling
    made_before: bool = False
    telling: Telling | None = None
    tally: Tally = field(default_factory=Tally)
    _waiting: list[Row] = field(default_factory=list)
    _suspects: list[Row] = field(default_factory=list)
    _seen: set[str | None] = field(default_factory=set)
    _since: float = 0.0
    _works: bool = False

    def __post_init__(self) -> None:
        self._works = self.made_before

    def drive(self, windows: Iterator[PendingWindow]) -> Tally:
        """Work through ``windows``.

        Raises :class:`~cluster.models.loading.ModelFault` and :class:`JobFault`; whatever was done
        is committed first, unless another driver has taken over.
        """
        try:
            for window in windows:
                with closing(self._facts(window)) as facts:
                    for fact in facts:
                        self._take(window, fact)
        except (JobFault, ModelFault, KeyboardInterrupt) as error:
            if not isinstance(error, Superseded):
                self._commit()
                self._tell("stopped", one_line(error))
            raise
        self._clear_suspects()
        self._commit()
        self._tell("finished")
        self.ledger.tidy(INDEX_FILES)
        return self.tally

    def _facts(self, window: PendingWindow) -> Generator[Fact | None, None, None]:
        """Facts of the window's requests as they come, None when time passes without any."""
        arrived: SimpleQueue[pa.Table | BaseException | None] = SimpleQueue()
        stopped = Event()
        works = {work.request_id: work for work in window.work}

        def settle(fact: Fact) -> Fact | None:
            return self.settling(fact, works[fact.request_id])

        def collect() -> None:
            try:
                with closing(run(window.table(), self.pool, self.settings, settle)) as results:
                    for table in results:
                        arrived.put(table)
                        if stopped.is_set():
                            return
                arrived.put(None)
            except BaseException as error:
                arrived.put(error)

        Thread(target=collect, daemon=True, name="flow").start()
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

    def _take(self, window: PendingWindow, fact: Fact | None) -> None:
        if fact is not None and fact.request_id in window.requests:
            self._refuse_unseen(fact)
            if self.telling is not None:
                self.telling.take(fact)
            row = self._index_row(window, fact)
            if fact.status != FAILED and not self._works:
                self._works = True
                self._clear_suspects()
            if self._works or fact.own:
                self._wait_with(row)
            else:
                self._suspects.append(row)
                self._refuse_hopelessness()
        if len(self._waiting) >= COMMIT_ROWS or self._waited() >= COMMIT_SECONDS:
            self._commit()
        self.progress(self.tally, len(self._waiting))
        self._tell("running")

    def _tell(self, state: State, reason: str | None = None) -> None:
        if self.telling is not None:
            self.telling.tell(self.tally.committed, state, reason)

    def _refuse_unseen(self, fact: Fact) -> None:
        """Stop if the first pair that a node has stored is not there for this program."""
        if fact.image is not None and fact.node not in self._seen:
            _refuse_lost(self.settings.output, [{"status": fact.status, "image": fact.image}])
            self._seen.add(fact.node)

    def _wait_with(self, *rows: Row) -> None:
        if rows and not self._waiting:
            self._since = time.monotonic()
        self._waiting += rows

    def _clear_suspects(self) -> None:
        """Failures that may have been the model's are the requests', now that one was made."""
        self._wait_with(*self._suspects)
        self._suspects = []

    def _waited(self) -> float:
        """Seconds since the first row that waits came."""
        return time.monotonic() - self._since if self._waiting else 0.0

    def _refuse_hopelessness(self) -> None:
        """Stop, and condemn no request, when too many have failed that are sound and none has been
        made."""
        if len(self._suspects) >= HOPELESS_FAILURES:
            reason = self._suspects[-1]["reason"]
            raise JobFault(f"the first {len(self._suspects)} requests all failed: {reason}")

    def _index_row(self, window: PendingWindow, fact: Fact) -> Row:
        """The request's row of the index; the window forgets it, so there is one only."""
        request, prints = window.requests.pop(fact.request_id), window.prints.pop(fact.request_id)
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
        failed = [row for row in rows if row["status"] == FAILED]
        for row in failed:
            _remove_pictures(self.settings.output, row)
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


def _remove_pictures(output: Location, row: Row) -> None:
    names = (row["object"], row["defect"], row["request_id"])
    extras = [extra_key(row["request_id"], name) for name in ALL_EXTRAS]
    for key in (image_key(*names), mask_key(*names), *extras):
        place = output.join(key)
        patiently(place, place.remove)
