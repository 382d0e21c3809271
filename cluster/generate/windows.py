"""What is left to do, a window at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from cluster.generate.worker import WORK
from cluster.manifest.reader import Manifest, Row
from cluster.manifest.request_checks import Fingerprints, RequestChecks
from cluster.manifest.roster import Roster

MAX_INLINE_BYTES = 512 * 1024 * 1024


@dataclass
class Window:
    """Requests to work on together, by id."""

    rows: dict[str, Row] = field(default_factory=dict)
    prints: dict[str, Fingerprints] = field(default_factory=dict)
    work: list[Row] = field(default_factory=list)
    inline_bytes: int = 0

    def add(self, row: Row, work: Row, prints: Fingerprints) -> None:
        request_id = row["request_id"]
        pictures = [work["image"], work["trimap"], *_recipe_pictures(work["placement"])]
        self.inline_bytes += sum(len(blob["bytes"] or b"") for blob in pictures if blob)
        self.rows[request_id] = {k: v for k, v in row.items() if k not in _PICTURES}
        self.prints[request_id] = prints
        self.work.append({**work, "source_sha256": prints.source})

    def table(self) -> pa.Table:
        """The work, ordered by model and branch so that workers seldom change theirs."""
        ordered = sorted(self.work, key=lambda row: (row["model"], row["branch"] or ""))
        return pa.Table.from_pylist(ordered, schema=WORK)


_PICTURES = ("image", "trimap", "placement")


def _recipe_pictures(recipe: Row | None) -> list[Row | None]:
    if not recipe:
        return []
    return [recipe["foreground"], *(part["mask"] for part in (recipe, *(recipe["more"] or ())))]


def pending_windows(
    manifest: Manifest, checks: RequestChecks, roster: Roster, rows: int
) -> Iterator[Window]:
    """Windows of at most about ``rows`` requests that are not committed."""
    window = Window()
    for _, chunk in manifest.chunks():
        pending = roster.pending(row["request_id"] for row in chunk)
        for row in chunk:
            prints = pending.get(row["request_id"])
            if prints is not None:
                window.add(row, checks.work_row(row), prints)
        if len(window.work) >= rows or window.inline_bytes >= MAX_INLINE_BYTES:
            yield window
            window = Window()
    if window.work:
        yield window
