"""What is left to do, a window at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from cluster.generate.protocol import Request, Work, work_table
from cluster.manifest.reader import Manifest
from cluster.manifest.request_checks import Fingerprints, RequestChecks
from cluster.manifest.roster import Roster

MAX_INLINE_BYTES = 512 * 1024 * 1024


@dataclass
class PendingWindow:
    """Requests to work on together, and their fingerprints, by id; and their work."""

    requests: dict[str, Request] = field(default_factory=dict)
    prints: dict[str, Fingerprints] = field(default_factory=dict)
    work: list[Work] = field(default_factory=list)
    inline_bytes: int = 0

    def add(self, request: Request, work: Work, prints: Fingerprints) -> None:
        self.inline_bytes += work.inline_bytes
        self.requests[request.request_id] = request
        self.prints[request.request_id] = prints
        self.work.append(work)

    def table(self) -> pa.Table:
        """The work as a table of :data:`~cluster.generate.protocol.WORK`, ordered by model and
        branch so that workers seldom change theirs."""
        return work_table(sorted(self.work, key=lambda work: (work.model, work.branch or "")))


def pending_windows(
    manifest: Manifest, checks: RequestChecks, roster: Roster, rows: int
) -> Iterator[PendingWindow]:
    """Windows of at most about ``rows`` requests that are not committed."""
    window = PendingWindow()
    for _, chunk in manifest.chunks():
        pending = roster.pending(row["request_id"] for row in chunk)
        for row in chunk:
            prints = pending.get(row["request_id"])
            if prints is not None:
                model = checks.models.of(row.get("model"))
                work = Work.of(row, model, prints.source, manifest.resolve)
                window.add(Request.of(row), work, prints)
        if len(window.work) >= rows or window.inline_bytes >= MAX_INLINE_BYTES:
            yield window
            window = PendingWindow()
    if window.work:
        yield window
