"""The workers of a job as Ray's actors: started while there is work for them, replaced when they
die, ended when there is none. They live as long as the job, and so do the models they hold."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import pyarrow as pa

from adabldm.core.faults import JobFault, one_line
from cluster.generate.log import event
from cluster.generate.pool import CALLS, Pool
from cluster.generate.protocol import Work, work_table
from cluster.generate.settings import WorkerSettings
from cluster.generate.worker import Worker
from cluster.launch.head import AWAY_SECONDS, Head
from cluster.launch.own_node import OwnNode

WORKER_DIED = "worker died"
MOST_STILLBORN = 8
"""So many workers in a row that do not start, and none ever will."""


@dataclass(eq=False)
class Held:
    """A worker; ``node`` is known once it is ready, ``since`` (monotonic seconds). One that is
    ``leaving`` gets nothing more."""

    actor: Any
    node: str | None = None
    under_way: int = 0
    leaving: bool = False
    died: bool = False
    since: float | None = None
    number: int = field(default_factory=count().__next__)

    @property
    def is_ready(self) -> bool:
        return self.node is not None and not self.leaving


@dataclass(frozen=True)
class Call:
    """Work that is given out together, at ``given`` (monotonic seconds); ``alone``: to a worker
    that has nothing else."""

    works: Sequence[Work]
    given: float = 0.0
    alone: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a ``call``: ``facts``, or the ``reason`` why there are none, which
    ``may_be_theirs`` unless the worker was to end anyway."""

    worker: Held
    call: Call
    facts: pa.Table | None = None
    reason: str = ""
    may_be_theirs: bool = False


class Workers(Protocol):
    """What gives work to workers and tells what became of it."""

    def want(self, number: int) -> None:
        """There is work for ``number`` workers."""

    def spare(self, number: int) -> None:
        """There is work for no more than ``number`` workers."""

    def free(self, *, idle: bool = False) -> Held | None:
        """A worker that can take a call (``idle``: that has none), None if there is none now."""

    def give(self, worker: Held, call: Call) -> None:
        """Give ``worker`` the work of ``call``."""

    def next(self, seconds: float) -> Outcome | None:
        """What comes next, None if nothing does for so long. Raises :class:`JobFault`."""

    def leave(self, worker: Held) -> None:
        """Give ``worker`` nothing more."""

    def avoid(self, nodes: Collection[str]) -> None:
        """From now on no worker is on one of ``nodes``."""

    def end(self) -> None:
        """End all workers; more may be wanted afterwards."""

    def seconds(self) -> float:
        """For how long there were workers, all of them together, from when each was ready."""


class RayWorkers:
    """The actors of ``pool``, told ``settings``. Needs a connection to Ray."""

    def __init__(self, pool: Pool, settings: WorkerSettings) -> None:
        self._pool, self._settings = pool, settings
        self._held: dict[int, Held] = {}
        self._avoided: frozenset[str] = frozenset()
        self._arrived: SimpleQueue[tuple[Held, Call | None, Future[Any]]] = SimpleQueue()
        self._stillborn = 0
        self._seconds = 0.0
        self._head: Head | None = None
        self._own_node: OwnNode | None = None

    def want(self, number: int) -> None:
        staying = sum(not one.leaving for one in self._held.values())
        for _ in range(staying, min(number, self._pool.most)):
            self._start()

    def spare(self, number: int) -> None:
        idle = [one for one in self._held.values() if not one.leaving and not one.under_way]
        staying = sum(not one.leaving for one in self._held.values())
        too_many = max(0, staying - max(number, self._pool.least))
        for one in sorted(idle, key=lambda one: one.node is not None)[:too_many]:
            one.leaving = True
            self._kill(one)

    def free(self, *, idle: bool = False) -> Held | None:
        room = 1 if idle else self._pool.queued
        ready = [one for one in self._held.values() if one.is_ready and one.under_way < room]
        return min(ready, key=lambda one: one.under_way, default=None)

    def give(self, worker: Held, call: Call) -> None:
        worker.under_way += 1
        self._listen(worker, call, worker.actor.work.remote(work_table(call.works)))

    def next(self, seconds: float) -> Outcome | None:
        if self._head is not None and self._head.is_lost:
            raise JobFault(f"Ray: its head has not answered for {AWAY_SECONDS:g} s")
        if self._own_node is not None and self._own_node.is_lost:
            raise JobFault("Ray: the node that this program works from has died")
        try:
            worker, call, answer = self._arrived.get(timeout=seconds)
        except Empty:
            return None
        error = answer.exception()
        if call is None:
            self._started(worker, error, answer)
            return None
        worker.under_way -= 1
        was_leaving = worker.leaving and not worker.died
        if error is not None and not _is_of_the_call(error):
            worker.leaving = worker.died = True
            self._drop(worker)
            ids = [work.request_id for work in call.works]
            event("worker died", worker=worker.number, node=worker.node, request_ids=ids)
            return Outcome(worker, call, reason=WORKER_DIED, may_be_theirs=not was_leaving)
        if was_leaving:
            self.leave(worker)
        if error is not None:
            return Outcome(worker, call, reason=one_line(error), may_be_theirs=True)
        return Outcome(worker, call, facts=answer.result())

    def leave(self, worker: Held) -> None:
        worker.leaving = True
        if not worker.under_way:
            self._kill(worker)

    def avoid(self, nodes: Collection[str]) -> None:
        self._avoided = frozenset(nodes)
        for one in list(self._held.values()):
            if one.node in self._avoided:
                one.leaving = True
                self._kill(one)

    def end(self) -> None:
        for one in list(self._held.values()):
            one.leaving = True
            self._kill(one)
        if self._head is not None:
            self._head.close()
        if self._own_node is not None:
            self._own_node.close()
        self._head = self._own_node = None

    def seconds(self) -> float:
        return self._seconds + sum(map(_held_for, list(self._held.values())))

    def _start(self) -> None:
        import ray

        if not ray.is_initialized():
            raise JobFault("the connection to Ray is gone")
        self._head = self._head or Head(ray.get_runtime_context().gcs_address)
        self._own_node = self._own_node or OwnNode()
        resources: dict[str, Any] = {"num_cpus": 0, "num_gpus": self._pool.gpus}
        if not self._pool.gpus:
            resources = {"num_cpus": 1}
        if self._avoided:
            others = ",".join(sorted(self._avoided))
            resources["label_selector"] = {"ray.io/node-id": f"!in({others})"}
        actor = ray.remote(
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=CALLS,
            scheduling_strategy="SPREAD",
            **resources,
        )(WorkerActor)
        worker = Held(actor.remote(self._settings))
        self._held[worker.number] = worker
        self._listen(worker, None, worker.actor.node.remote())

    def _listen(self, worker: Held, call: Call | None, answer: Any) -> None:
        answer.future().add_done_callback(lambda done: self._arrived.put((worker, call, done)))

    def _started(self, worker: Held, error: BaseException | None, answer: Future[str]) -> None:
        if error is None:
            worker.node, worker.since, self._stillborn = answer.result(), time.monotonic(), 0
            event("worker started", worker=worker.number, node=worker.node)
            return
        self._drop(worker)
        if not worker.leaving:
            self._stillborn += 1
            if self._stillborn >= MOST_STILLBORN:
                raise JobFault(f"no worker starts: {one_line(error)}")

    def _kill(self, worker: Held) -> None:
        """End a worker, in good order if it has nothing to do, and forget it."""
        import ray

        self._drop(worker)
        if not ray.is_initialized():  # it would be started anew
            return
        with suppress(Exception):
            if worker.node is not None and not worker.under_way:
                worker.actor.__ray_terminate__.remote()
            else:
                ray.kill(worker.actor)

    def _drop(self, worker: Held) -> None:
        if self._held.pop(worker.number, None) is not None:
            self._seconds += _held_for(worker)


def _held_for(worker: Held) -> float:
    return 0.0 if worker.since is None else time.monotonic() - worker.since


def _is_of_the_call(error: BaseException) -> bool:
    """Whether the worker lives and only the call raised."""
    import ray

    return isinstance(error, ray.exceptions.RayTaskError) and not isinstance(
        error, ray.exceptions.RayActorError
    )


class WorkerActor:
    """A worker as a process of Ray's."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._worker = Worker(settings)

    def node(self) -> str:
        """Ray's name of the node it is on."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def work(self, table: pa.Table) -> pa.Table:
        return self._worker(table)
