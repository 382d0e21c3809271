"""How an output stands: what is in it, and what its driver last told."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adabldm.core.faults import InputFault
from cluster.output.index import Ledger
from cluster.output.progress import RunProgress, read_progress
from cluster.output.tally import tally_of
from cluster.storage.location import Location

SILENT_SECONDS = 60.0
"""A driver that works tells more often than that."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """``requests`` are those that have a row and those that are ``pending`` by what the last driver
    told; ``state`` is running, finished, stopped, silent (it ended without a word) or unknown
    (nothing was told); ``rate`` is in requests/s, ``seconds_left`` by it, while it runs; ``types``
    has ok, rejected and failed by OBJECT/DEFECT, ``workers`` what each has done in the last run;
    all runs have taken ``worker_hours`` and cost ``cost`` (None: no price was told)."""

    state: str
    reason: str | None
    requests: int
    ok: int
    rejected: int
    failed: int
    pending: int
    rate: float | None
    seconds_left: float | None
    types: Mapping[str, Mapping[str, int]]
    workers: Mapping[str, int]
    last_failures: Sequence[Mapping[str, str]]
    worker_hours: float = 0.0
    cost: float | None = None


def status_of(output: Location) -> Status:
    """Raises :class:`InputFault` for a place that is no output, and
    :class:`~adabldm.core.faults.JobFault`."""
    ledger = Ledger(output)
    if not ledger.exists:
        raise InputFault.of(
            "OUTPUT", output.shown, "has no index; it must be an output of generate"
        )
    told = read_progress(output)
    types = {
        "/".join(pair): {
            "ok": one.made,
            "rejected": one.rejected.total(),
            "failed": one.failed.total(),
        }
        for pair, one in tally_of(ledger).types.items()
    }
    ok, rejected, failed = (
        sum(one[name] for one in types.values()) for name in ("ok", "rejected", "failed")
    )
    pending = told.pending if told is not None else 0
    state = _state(told)
    rate = told.rate if told is not None and state == "running" else None
    return Status(
        state=state,
        reason=told.reason if told is not None else None,
        requests=ok + rejected + failed + pending,
        ok=ok,
        rejected=rejected,
        failed=failed,
        pending=pending,
        rate=rate,
        seconds_left=pending / rate if rate else None,
        types=types,
        workers=told.workers if told is not None else {},
        last_failures=told.failures if told is not None else [],
        worker_hours=told.worker_hours if told is not None else 0.0,
        cost=told.cost if told is not None else None,
    )


def _state(told: RunProgress | None) -> str:
    if told is None:
        return "unknown"
    silent = told.state == "running" and time.time() - told.updated > SILENT_SECONDS
    return "silent" if silent else told.state
