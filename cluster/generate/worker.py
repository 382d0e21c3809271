"""The actor: holds the pipeline, turns work into stored pairs, and tells the facts.

A request is planned -> sampled -> judged -> stored -> committed. Its work has what was planned; the
pipeline samples and judges it (:mod:`cluster.generate.making`); its files are stored
(:mod:`cluster.generate.storing`); the driver commits the facts (:mod:`cluster.generate.driver`).

One thread computes; decoding, coding and uploads happen beside it. A request's files depend on the
request alone, so work that is done twice writes the same bytes to the same places.

A worker that hangs, or whose machine is about to be taken away, tells what it has, hands the rest
back and ends; Ray starts another.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event, Lock, Timer

import pyarrow as pa

from adabldm.core import images, trimap
from adabldm.placement import transform
from cluster.generate.decoding import Decoded, decode
from cluster.generate.identity import identity
from cluster.generate.making import Maker, Result, fact
from cluster.generate.meters import worker_meters
from cluster.generate.notice import Notice
from cluster.generate.protocol import (
    AGAIN,
    CANARY,
    FAILED,
    HUNG,
    OK,
    OVER_TIME,
    REJECTED,
    UNREAD,
    UNSTARTED,
    UNSTORED,
    Fact,
    Work,
    fact_table,
    works_of,
)
from cluster.generate.settings import WorkerSettings
from cluster.generate.storing import Made, Store
from cluster.generate.watch import Late, Watch
from cluster.manifest.picture_checks import PictureFault

__all__ = ["Worker", "WorkerSettings"]

TRANSFER_THREADS = 8
TICK_SECONDS = 0.5
LEAVE_SECONDS = 3.0
"""From a worker's last word to its end: time for the word to arrive."""
NOTICE_SECONDS = 12.0
"""How long what is under way may still take on a machine that is about to be taken away."""
HANDED_BACK = "handed back"


class Worker:
    """Called by Ray Data with a table of :data:`~cluster.generate.protocol.WORK`; returns one of
    :data:`~cluster.generate.protocol.FACTS`.

    Several calls may be under way at once: while one computes, another stores.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._who = identity()
        self._watch = Watch(settings.time_limit, settings.load_limit)
        self._notice = Notice(self._who)
        self._make = Maker(settings, self._watch)
        self._store = Store(
            output=settings.output,
            judge=settings.judge,
            keep_rejected=REJECTED in settings.keep,
            epoch=settings.epoch,
            shards=settings.shards,
        )
        self._meters = worker_meters()
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._transfer = ThreadPoolExecutor(TRANSFER_THREADS, thread_name_prefix="transfer")
        self._ending = Event()
        self._lock, self._under_way = Lock(), 0

    def __call__(self, batch: pa.Table) -> pa.Table:
        works = works_of(batch)
        if self._ending.is_set() or self._notice.seconds() is not None:
            return self._handed_back(works)
        with self._lock:
            self._under_way += 1
        try:
            facts = self._facts(works)
            if self._meters is not None:
                self._meters.tell(works, facts)
            return self._told(facts)
        finally:
            with self._lock:
                self._under_way -= 1

    def _handed_back(self, works: list[Work]) -> pa.Table:
        """Nothing of ``works`` is begun; the worker ends when nothing is under way any more."""
        if self._ending.is_set() or not self._under_way:
            self._end()
        elif self._who.is_actor:
            time.sleep(LEAVE_SECONDS)
        return self._told([fact(work, AGAIN, HANDED_BACK) for work in works])

    def _facts(self, works: list[Work]) -> list[Fact]:
        decoded, facts = self._decoded(works)
        made, lost = self._computed(decoded)
        facts += lost
        stored: list[tuple[Work, Future[Fact]]] = []
        for one in made:
            if isinstance(one, Made):
                stored.append((one.work, self._transfer.submit(self._stored, one)))
            else:
                facts.append(one)
        for work, done in stored:
            try:
                facts.append(done.result())
            except OSError as error:
                facts.append(fact(work, UNSTORED, reason=f"writing: {error}"))
        return facts

    def _decoded(self, works: list[Work]) -> tuple[list[Decoded], list[Fact]]:
        """The pictures of ``works``, and what became of those that have none."""
        decoded: list[Decoded] = []
        facts: list[Fact] = []
        for work, future in [(work, self._transfer.submit(decode, work)) for work in works]:
            try:
                decoded.append(future.result())
            except (PictureFault, images.ImageFault, trimap.TrimapFault) as error:
                facts.append(fact(work, FAILED, reason=str(error), own=True))
            except transform.PlacementFault as error:
                facts.append(fact(work, FAILED, reason=f"placement: {error}", own=True))
            except OSError as error:
                facts.append(fact(work, UNREAD, reason=f"reading: {error}"))
        return decoded, facts

    def _computed(self, decoded: list[Decoded]) -> tuple[list[Result], list[Fact]]:
        """What is made of ``decoded``, and what became of those that are not waited for."""
        results: list[Result] = []
        computing = self._compute.submit(self._make, decoded, results.append)
        while not wait([computing], TICK_SECONDS).done:
            if late := self._watch.overdue():
                return self._left(decoded, results, late)
            under_notice = self._notice.seconds()
            if self._ending.is_set() or (under_notice or 0) > NOTICE_SECONDS:
                return self._left(decoded, results, None)
        computing.result()
        return results, []

    def _left(
        self, decoded: list[Decoded], results: list[Result], late: Late | None
    ) -> tuple[list[Result], list[Fact]]:
        """Wait no longer: what there is, and the rest, of which ``late`` takes too long."""
        self._end()
        made = list(results)
        there = {one.work.request_id if isinstance(one, Made) else one.request_id for one in made}
        lost = []
        for work in [one.work for one in decoded if one.work.request_id not in there]:
            if late is None or work.request_id not in late.requests:
                lost.append(fact(work, AGAIN, HANDED_BACK))
            else:
                lost.append(self._late(work, late))
        return made, lost

    def _late(self, work: Work, late: Late) -> Fact:
        """Of a request that takes too long. Of several it is not known which one hangs."""
        if late.loads:
            name, seconds = work.branch or work.model, self._settings.load_limit
            return fact(work, UNSTARTED, f"model: {name!r}: is not loaded after {seconds:g} s")
        reason = f"computed for more than {self._settings.time_limit:g} s"
        if len(late.requests) > 1:
            return fact(work, HUNG, reason)
        return fact(work, FAILED, f"{reason} {OVER_TIME}")

    def _stored(self, made: Made) -> Fact:
        if self._settings.stores and made.work.request_id != CANARY:
            return self._store(made)
        status = OK if made.reason is None else REJECTED
        return Fact(request_id=made.work.request_id, status=status, reason=made.reason)

    def _told(self, facts: list[Fact]) -> pa.Table:
        who, now = self._who, datetime.now(UTC)
        return fact_table(
            replace(one, made_by=who.worker, made_at=now, node=who.node) for one in facts
        )

    def _end(self) -> None:
        """End this process soon, if Ray starts another one then."""
        if not self._ending.is_set():
            self._ending.set()
            if self._who.is_actor:
                timer = Timer(LEAVE_SECONDS, os._exit, (1,))
                timer.daemon = True
                timer.start()
        elif self._who.is_actor:
            time.sleep(LEAVE_SECONDS)
