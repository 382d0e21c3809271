"""What a run tells Ray's metrics, which every node shows to Prometheus.

Names begin with ``ray_adabldm_`` there, and counters end in ``_total``.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Mapping

from cluster.generate.protocol import FINAL, Fact, Work

SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
LEAST_SECONDS = 1.0
JUDGED = ("coverage", "agreement", "cl_dice")
"""Figures of the judge, 0..1, that are told."""


class WorkerMeters:
    """Counts a worker's requests, by what became of them, and its seconds, by stage; the judge's
    figures; and, on a GPU, the most memory that it took."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter, Gauge, Histogram

        self._requests = Counter(
            "adabldm_requests",
            description="Requests that a worker is done with, by status, object and defect type",
            tag_keys=("status", "object", "defect"),
        )
        self._seconds = Counter(
            "adabldm_stage_seconds",
            description="Seconds of requests by stage",
            tag_keys=("stage",),
        )
        self._judged = Histogram(
            "adabldm_judged",
            description="Figures of judged pairs, 0 to 1",
            boundaries=SHARES,
            tag_keys=("figure",),
        )
        self._memory = Gauge(
            "adabldm_gpu_bytes", description="The most GPU memory that the worker has taken"
        )

    def tell(self, works: Iterable[Work], facts: Iterable[Fact]) -> None:
        """Tell what became of ``works``."""
        types = {work.request_id: (work.object, work.defect) for work in works}
        for fact in facts:
            if fact.status not in FINAL:
                continue
            item, defect = types[fact.request_id]
            tags = {"status": fact.status, "object": item, "defect": defect}
            self._requests.inc(1, tags)
            for stage, seconds in fact.seconds or ():
                if seconds > 0:
                    self._seconds.inc(seconds, {"stage": stage})
            for name, value in fact.quality or ():
                if name in JUDGED:
                    self._judged.observe(value, {"figure": name})
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            self._memory.set(torch.cuda.max_memory_allocated())


def worker_meters() -> WorkerMeters | None:
    """A worker's, where there is a Ray to tell."""
    import ray

    return WorkerMeters() if ray.is_initialized() else None


class DriverMeters:
    """Tells how many requests of a run there are, are committed, and are still to be made."""

    def __init__(self) -> None:
        from ray.util.metrics import Gauge

        self._told = -math.inf
        self._gauges: Mapping[str, Gauge] = {
            name: Gauge(f"adabldm_{name}", description=description)
            for name, description in (
                ("asked", "Requests in the manifest"),
                ("committed", "Requests that have a row in the index"),
                ("pending", "Requests without a row"),
                ("uncommitted", "Facts at the driver that are about to be committed"),
            )
        }

    def tell(self, *, asked: int, committed: int, uncommitted: int) -> None:
        """Tell, at most once a second until all are committed."""
        now = time.monotonic()
        if committed < asked and now < self._told + LEAST_SECONDS:
            return
        self._told = now
        for name, value in (
            ("asked", asked),
            ("committed", committed),
            ("pending", asked - committed),
            ("uncommitted", uncommitted),
        ):
            self._gauges[name].set(value)
