"""How fast one worker of this machine makes a job's requests, tried on a few of them."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass

import pyarrow as pa

from adabldm.core.faults import InputFault, JobFault
from cluster.generate.checked import CheckedJob
from cluster.generate.protocol import OK, REJECTED, UNLOADABLE, facts_of
from cluster.generate.spec import GenerationSpec, worker_settings
from cluster.generate.windows import pending_windows
from cluster.generate.worker import Worker
from cluster.storage.location import Location

TRIED = 3
"""Requests on a CPU, where each is by itself; a GPU gets a whole batch."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """``images_per_second`` of one worker, and on how many ``requests`` it was measured, all draws
    of a request one image (None: it was given, each draw an image)."""

    images_per_second: float
    requests: int | None = None


def measured_rate(spec: GenerationSpec, job: CheckedJob) -> Rate:
    """The rate at which a worker in this process makes the first pending requests, from reading
    their pictures to storing the pairs (in a temporary folder), its start and first call apart.

    Raises :class:`InputFault` for a model that does not load or a GPU that is not there, and
    :class:`JobFault` for requests that fail.
    """
    gpu = spec.pool.device == "cuda"
    if gpu:
        _refuse_without_gpu()
    count = spec.pool.batch_size if gpu else TRIED
    window = next(pending_windows(job.manifest, job.checks, job.roster, count))
    rows = window.table().slice(0, count)
    with tempfile.TemporaryDirectory(prefix="adabldm-") as scratch:
        worker = Worker(worker_settings(spec, Location.of(scratch)))
        _made(worker, rows if gpu else rows.slice(0, 1))
        began = time.perf_counter()
        _made(worker, rows)
        seconds = time.perf_counter() - began
    return Rate(images_per_second=rows.num_rows / seconds, requests=rows.num_rows)


def _made(worker: Worker, rows: pa.Table) -> None:
    for fact in facts_of(worker(rows)):
        if fact.status == UNLOADABLE:
            raise InputFault(str(fact.reason))
        if fact.status not in (OK, REJECTED):
            raise JobFault(f"no rate: {fact.request_id}: {fact.reason}; --rate gives one")


def _refuse_without_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        rule = "this machine has no GPU to measure on; give the images/s of a worker"
        raise InputFault.of("--rate", None, rule)
