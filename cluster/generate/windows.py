"""What is left to do, a window at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from adabldm.core.faults import InputFault, JobFault
from cluster.generate.protocol import Request, Work, work_table
from cluster.manifest.reader import Manifest, Row
from cluster.manifest.request_checks import Fingerprints, RequestChecks, fingerprints
from cluster.manifest.roster import Roster

CHANGED = "the manifest has changed since it was checked"
MAX_INLINE_BYTES = 64 * 1024 * 1024
WINDOW_ROWS = 8192
FIRST_ROWS = 512
"""The first window is small, so that work begins at once; each is twice the one before."""


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
        return work_table(self.ordered())

    def ordered(self) -> list[Work]:
        """The work, ordered as in :meth:`table`."""
        return sorted(self.work, key=lambda work: (work.model, work.branch or ""))


def pending_windows(
    manifest: Manifest,
    checks: RequestChecks,
    roster: Roster,
    rows: int = WINDOW_ROWS,
    first: int | None = None,
) -> Iterator[PendingWindow]:
    """Windows of at most about ``rows`` requests that are not committed, the ``first`` of fewer.

    Raises :class:`JobFault` for a manifest that is not the checked one any more.
    """
    window, given, asked = PendingWindow(), 0, roster.count(done=False)
    most = first or rows
    for _, chunk in _as_checked(manifest, roster):
        pending = roster.pending(row["request_id"] for row in chunk)
        for row in chunk:
            prints = pending.get(row["request_id"])
            if prints is not None:
                model = checks.models.of(row.get("model"))
                _refuse_changed(manifest, row, prints, model.fingerprint)
                work = Work.of(row, model, prints.source, manifest.resolve, prints.trimap)
                given += 1
                window.add(Request.of(row), work, prints)
        if len(window.work) >= most or window.inline_bytes >= MAX_INLINE_BYTES:
            yield window
            window, most = PendingWindow(), min(2 * most, rows)
    if window.work:
        yield window
    if given != asked:
        raise JobFault(f"{manifest.place.shown}: {CHANGED} ({asked - given} requests are gone)")


def _as_checked(manifest: Manifest, roster: Roster) -> Iterator[tuple[int, list[Row]]]:
    """The chunks with pending rows of a manifest that was in order when it was checked."""
    try:
        yield from manifest.chunks(roster.any_pending)
    except InputFault as fault:
        raise JobFault(f"{fault.lines[0]}; {CHANGED}") from fault


def _refuse_changed(manifest: Manifest, row: Row, prints: Fingerprints, model: str) -> None:
    """Stop at a row that is another request than was checked; its pictures' files are looked at by
    its worker."""
    if fingerprints(row, prints.source, prints.trimap, model).request != prints.request:
        which = f"request_id {row['request_id']!r}"
        raise JobFault(f"{manifest.place.shown}: {which}: {CHANGED}")
