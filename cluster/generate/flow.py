"""Rows through workers: Ray Data with a pool of actors, and every row accounted for.

A row that comes back has its facts. Rows that do not come back (their worker died too often) go
through once more, one at a time; what is lost then is lost through itself.
"""

from __future__ import annotations

import itertools
import logging
import math
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from adabldm.core.faults import JobFault
from cluster.generate.protocol import FAILED, Fact, fact_table
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
"""So many rows that kill their worker, and none that does not: it is not the rows."""
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


def run(rows: pa.Table, pool: Pool, settings: WorkerSettings) -> Generator[pa.Table, None, None]:
    """Work on ``rows`` (:data:`~cluster.generate.protocol.WORK`); yields
    :data:`~cluster.generate.protocol.FACTS` as they come, each row once.

    Raises :class:`JobFault` when workers die whatever the row. Needs a connection to Ray.
    """
    left = set(rows["request_id"].to_pylist())
    total = len(left)
    for facts in _pass(rows, pool, settings, isolated=False):
        left.difference_update(facts["request_id"].to_pylist())
        yield facts
    survivors = total - len(left)
    while left:
        some = rows.filter(pc.is_in(rows["request_id"], pa.array(sorted(left)[:HOPELESS])))
        dead = set(some["request_id"].to_pylist())
        left -= dead
        for facts in _pass(some, pool, settings, isolated=True):
            returned = facts["request_id"].to_pylist()
            survivors += len(returned)
            dead.difference_update(returned)
            yield facts
        if not survivors and (left or len(dead) >= HOPELESS):
            raise JobFault("every worker died on every request that it was given")
        if dead:
            yield fact_table(
                Fact(request_id=lost, status=FAILED, reason=WORKER_DIED) for lost in dead
            )


def _pass(
    rows: pa.Table, pool: Pool, settings: WorkerSettings, *, isolated: bool
) -> Iterator[pa.Table]:
    """Send ``rows`` through a pool of workers once; yields the facts that come back.

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
