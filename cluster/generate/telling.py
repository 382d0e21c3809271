"""A driver tells how far it is, for whoever looks at its output from elsewhere."""

from __future__ import annotations

import time
from collections import Counter, deque

from adabldm.core.redaction import redacted
from cluster.generate.budget import Spending
from cluster.generate.protocol import FAILED, FINAL, Fact
from cluster.output.progress import RunProgress, State, write_progress
from cluster.storage.location import Location

EVERY_SECONDS = 5.0
RATE_SECONDS = 60.0
SHOWN_FAILURES = 5


class Telling:
    """Of a run that began with ``pending`` requests to be made into ``output``, and what it
    spends."""

    def __init__(self, output: Location, pending: int, spending: Spending | None = None) -> None:
        self._output, self._pending, self._spending = output, pending, spending
        self._workers: Counter[str] = Counter()
        self._failures: deque[dict[str, str]] = deque(maxlen=SHOWN_FAILURES)
        self._seen: deque[tuple[float, int]] = deque()
        self._told = 0.0

    def take(self, fact: Fact) -> None:
        """A request has its fact."""
        if fact.made_by is not None and fact.status in FINAL:
            self._workers[fact.made_by] += 1
        if fact.status == FAILED:
            self._failures.append(
                {"request_id": fact.request_id, "reason": redacted(str(fact.reason))}
            )

    def tell(self, committed: int, state: State = "running", reason: str | None = None) -> None:
        """That ``committed`` requests of this run are; now and then, or where it ends."""
        now = time.time()
        if state == "running" and now - self._told < EVERY_SECONDS:
            return
        self._told = now
        self._seen.append((now, committed))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()
        write_progress(
            self._output,
            RunProgress(
                updated=now,
                pending=self._pending - committed,
                state=state,
                rate=self._rate(),
                reason=reason,
                workers=dict(self._workers),
                failures=list(self._failures),
                worker_hours=self._spending.worker_hours if self._spending else 0.0,
                cost=self._spending.cost if self._spending else None,
            ),
        )

    def _rate(self) -> float | None:
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if last > first and now > began else None
