"""Rows through workers: Ray Data with a pool of actors, and every row accounted for.

A row that comes back has its facts. Rows that do not come back (their worker died too often), or
were in a call that took too long, go through once more, one at a time; what is lost then is lost
through itself, unless a canary dies as well. Rows in a trouble that is not theirs go through again
(:mod:`cluster.generate.troubles`).
"""

from __future__ import annotations

import itertools
import logging
import math
import warnings
from collections.abc import Collection, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from adabldm.core.faults import JobFault
from cluster.generate.canary import sound_nodes
from cluster.generate.protocol import FAILED, HUNG, Fact, fact_table, facts_of
from cluster.generate.troubles import Settle, Troubles
from cluster.generate.worker import Worker, WorkerSettings

RETRIES = 3
ISOLATED_RETRIES = 1
CALLS = 2
"""Calls under way in a worker: one computes while the other stores."""
SHARES = 4
"""Towards the end of the rows a block is this part of a worker's share of what is left."""
SCALING_FILL = 0.875
"""Workers are added when the pool holds this part of the blocks that it can hold."""
WORKER_DIED = "worker died"
HOPELESS = 20
"""So many rows that kill their worker are sent alone before it is asked whether it is the rows."""
STALLED_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Pool:
    """``least`` to ``most`` workers of ``gpus`` each (0: one CPU each), each of which takes at most
    ``batch_size`` requests a call."""

    least: int
    most: int
    gpus: float
    batch_size: int

    @property
    def device(self) -> Literal["cuda", "cpu"]:
        """What a worker computes on."""
        return "cuda" if self.gpus else "cpu"

    @property
    def queued(self) -> int:
        """Blocks that a worker holds: those under way and, on a GPU, which is quick, as many at
        hand. What a worker holds at the end, no other can take."""
        return 2 * CALLS if self.gpus else CALLS


def window_rows(pool: Pool) -> int:
    """How many rows to feed at a time: enough that starting the workers does not matter."""
    return pool.batch_size * max(2000, 500 * pool.most)


def block_sizes(count: int, pool: Pool) -> list[int]:
    """How many of ``count`` rows each block gets, in order.

    A worker that holds its last blocks while others have none left is what a tail is made of. On
    CPU workers the blocks therefore shrink: none holds more than its share of the rows that are
    left when it is cut, down to one row. On a GPU, where a short batch is padded and costs as much
    as a full one, and with one worker, all are full.
    """
    shares = 1 if pool.gpus or pool.most == 1 else pool.most * SHARES
    sizes = []
    while count > 0:
        sizes.append(min(pool.batch_size, math.ceil(count / shares)))
        count -= sizes[-1]
    return sizes


def run(
    rows: pa.Table, pool: Pool, settings: WorkerSettings, settle: Settle = lambda _: None
) -> Generator[pa.Table, None, None]:
    """Work on ``rows`` (:data:`~cluster.generate.protocol.WORK`); yields
    :data:`~cluster.generate.protocol.FACTS` as they come, each row once, with a final status.

    ``settle`` tells whether a row's trouble is its own. Raises :class:`JobFault` when workers die
    whatever the row, or a trouble does not pass, and
    :class:`~cluster.models.loading.ModelFault`. Needs a connection to Ray.
    """
    yield from _Flow(rows, pool, settings, settle).facts()


class _Flow:
    """One window on its way."""

    def __init__(
        self, rows: pa.Table, pool: Pool, settings: WorkerSettings, settle: Settle
    ) -> None:
        self._rows, self._pool, self._settings = rows, pool, settings
        self._troubles = Troubles(settle, lambda: nodes_for(pool.gpus))
        self._left = set(rows["request_id"].to_pylist())
        self._alone: set[str] = set()
        self._survivors = 0
        self._cleared: set[str] = set()

    def facts(self) -> Generator[pa.Table, None, None]:
        while todo := self._left - self._alone:
            told: set[str] = set()
            yield from self._final(self._some(todo), told, isolated=False)
            self._troubles.pause()
        while self._alone:
            some = set(sorted(self._alone)[:HOPELESS])
            told = set()
            yield from self._final(self._some(some), told, isolated=True)
            if dead := self._dead(some - told):
                self._left -= dead
                self._alone -= dead
                yield fact_table(
                    Fact(request_id=lost, status=FAILED, reason=WORKER_DIED, own=True)
                    for lost in dead
                )
            self._troubles.pause()

    def _some(self, ids: Collection[str]) -> pa.Table:
        return self._rows.filter(pc.is_in(self._rows["request_id"], pa.array(sorted(ids))))

    def _final(
        self, rows: pa.Table, told: set[str], *, isolated: bool
    ) -> Generator[pa.Table, None, None]:
        """One pass of ``rows``; what has no final fact stays. ``told`` gets what came back."""
        cut = False
        avoided = frozenset(self._troubles.avoided)
        with closing(_pass(rows, self._pool, self._settings, avoided, isolated)) as tables:
            for table in tables:
                found = facts_of(table)
                told.update(one.request_id for one in found)
                final = [one for one in map(self._troubles.consider, found) if one is not None]
                self._alone.update(one.request_id for one in found if one.status == HUNG)
                done = {one.request_id for one in final}
                self._left -= done
                self._alone -= done
                self._survivors += len(done)
                if final:
                    yield fact_table(final)
                if cut := self._troubles.is_time_to_stop():
                    break
        if not cut and not isolated:
            self._alone |= self._left.intersection(rows["request_id"].to_pylist()) - told
        if cut and isolated:  # Those whose turn did not come are not dead.
            told.update(rows["request_id"].to_pylist())

    def _dead(self, lost: set[str]) -> set[str]:
        """Those of ``lost`` that die through themselves; the others go through again, without the
        nodes on which whatever they are given dies. Raises :class:`JobFault`."""
        nodes = nodes_for(self._pool.gpus) - self._troubles.avoided
        if not nodes:
            return set()
        if not lost or (self._survivors and len(nodes) < 2):
            return lost
        if unseen := nodes - self._cleared:
            row = self._some(lost).slice(0, 1)
            sound = sound_nodes(row, unseen, self._pool.gpus, self._settings)
            self._cleared |= sound
            if not self._cleared & nodes:
                raise JobFault("every worker died on every request that it was given")
            if sick := unseen - sound:
                self._troubles.avoided |= sick
                return set()
        return lost


def nodes_for(gpus: float) -> set[str]:
    """Nodes that could hold a worker of ``gpus`` GPUs, or one of a CPU."""
    import ray

    kind, least = ("GPU", min(gpus, 1)) if gpus else ("CPU", 1)
    return {
        node["NodeID"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get(kind, 0) >= least
    }


def _pass(
    rows: pa.Table,
    pool: Pool,
    settings: WorkerSettings,
    avoided: Collection[str],
    isolated: bool,
) -> Generator[pa.Table, None, None]:
    """Send ``rows`` through a pool of workers once, on other nodes than the ``avoided``; yields the
    facts that come back.

    A worker's call gets one block: a batch of rows, or a single row if ``isolated``. Rows whose
    block was lost, because its worker died too often, have no facts.
    """
    import ray.data

    # Ray has no newer name for max_task_retries yet.
    warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
    _configure(ray.data.DataContext.get_current(), pool)
    sizes = [1] * rows.num_rows if isolated else block_sizes(rows.num_rows, pool)
    starts = itertools.accumulate(sizes, initial=0)
    blocks = [rows.slice(start, size) for start, size in zip(starts, sizes, strict=False)]
    most = min(pool.most, len(blocks))
    least = most if isolated else min(pool.least, most)
    resources: dict[str, Any] = {"num_cpus": 0, "num_gpus": pool.gpus}
    if not pool.gpus:
        resources = {"num_cpus": 1}
    if avoided:
        resources["label_selector"] = {"ray.io/node-id": f"!in({','.join(sorted(avoided))})"}
    results = ray.data.from_arrow(blocks).map_batches(
        Worker,
        fn_constructor_args=(settings,),
        # A call is a block. Ray wants a number where there are GPUs; there it puts none together.
        batch_size=max(sizes) if pool.gpus else None,
        batch_format="pyarrow",
        max_task_retries=ISOLATED_RETRIES if isolated else RETRIES,
        compute=ray.data.ActorPoolStrategy(
            min_size=least,
            max_size=most,
            max_tasks_in_flight_per_actor=1 if isolated else pool.queued,
            max_concurrent_calls_per_actor=1 if isolated else CALLS,
            enable_true_multi_threading=True,
        ),
        **resources,
    )
    for table in results.iter_batches(batch_size=None, batch_format="pyarrow"):
        if table.num_rows:
            yield table


def _configure(context: Any, pool: Pool) -> None:
    """Quiet; lost blocks are left to us; a long wait for a machine is no error."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.issue_detectors_config.detectors = []
    context.max_errored_blocks = -1
    context.execution_no_progress_timeout_s = STALLED_SECONDS
    full = pool.queued / CALLS
    context.autoscaling_config.actor_pool_util_upscaling_threshold = SCALING_FILL * full
