"""What of a manifest is committed already."""

from __future__ import annotations

from collections import Counter

from adabldm.core.faults import InputFault
from cluster.manifest.reader import Manifest
from cluster.manifest.roster import Roster
from cluster.output.index import Ledger, quoted
from cluster.output.schema import FAILED

SHOWN_FAULTS = 50
PLAIN_FIELDS = ("object", "defect", "prompt", "negative_prompt", "seed")
HASHED_FIELDS = {"image": "source", "trimap": "trimap", "model": "model"}
"""Field of a row: the fingerprint that stands for its content."""
INDEX_HASHES = {
    "image": "source_sha256",
    "trimap": "trimap_sha256",
    "model": "model_fingerprint",
}


def mark_committed(
    manifest: Manifest, ledger: Ledger, roster: Roster, *, retry_failed: bool = False
) -> Counter[str]:
    """Mark in ``roster`` what ``ledger`` holds; returns how many of these have which status. With
    ``retry_failed`` those that have failed count as if they were not there.

    Raises :class:`InputFault` for a committed id whose request is another one now.
    """
    found, changed = ledger.insistently(lambda: _marked(ledger, roster, retry_failed))
    if changed:
        raise InputFault(*_changes(manifest, ledger, roster, changed))
    return found


def _marked(ledger: Ledger, roster: Roster, retry_failed: bool) -> tuple[Counter[str], list[str]]:
    """Statuses of what is there, and ids of requests that are others now."""
    found: Counter[str] = Counter()
    changed: list[str] = []
    for batch in ledger.read(["request_id", "request_fingerprint", "status"]):
        ids, prints, statuses = (column.to_pylist() for column in batch.columns)
        known = roster.known(ids)
        done: list[int] = []
        for request_id, fingerprint, status in zip(ids, prints, statuses, strict=True):
            if request_id in known and not (retry_failed and status == FAILED):
                done.append(known[request_id].row)
                found[status] += 1
                if fingerprint != known[request_id].request:
                    changed.append(request_id)
        roster.mark_done(done)
    return found, changed


def forget_failed(ledger: Ledger, roster: Roster) -> None:
    """Take the rows of requests that have failed out of ``ledger``."""
    ids = ledger.insistently(lambda: _failed(ledger, roster))
    ledger.forget_failed(ids)


def _failed(ledger: Ledger, roster: Roster) -> list[str]:
    ids: list[str] = []
    for batch in ledger.read(["request_id"], f"status = '{FAILED}'"):
        ids += roster.find(batch["request_id"].to_pylist())
    return ids


def _changes(manifest: Manifest, ledger: Ledger, roster: Roster, changed: list[str]) -> list[str]:
    """A line for each field in which a committed request differs from the manifest's."""
    shown = changed[:SHOWN_FAULTS]
    ids = ", ".join(map(quoted, shown))
    columns = ["request_id", *PLAIN_FIELDS, *INDEX_HASHES.values()]
    held = {
        row["request_id"]: row
        for batch in ledger.read(columns, f"request_id IN ({ids})")
        for row in batch.to_pylist()
    }
    prints = roster.find(shown)
    lines = []
    for start, rows in manifest.chunks():
        for number, row in enumerate(rows, start):
            request_id = row["request_id"]
            if request_id not in held:
                continue
            now = {**row, "negative_prompt": row.get("negative_prompt") or ""}
            before = held[request_id]
            pairs = [(name, now[name], before[name]) for name in PLAIN_FIELDS]
            for name, attribute in HASHED_FIELDS.items():
                content = getattr(prints[request_id], attribute)
                pairs.append((name, f"sha256 {content[:12]}", before[INDEX_HASHES[name]]))
            for name, value, old in pairs:
                same = old == value or (name in INDEX_HASHES and old.startswith(value[7:]))
                if not same:
                    short = f"sha256 {old[:12]}" if name in INDEX_HASHES else repr(old)
                    lines.append(
                        f"row {number} (request_id {request_id!r}): {name}: {value!r}: "
                        f"the output holds this request made with {short}"
                    )
    if len(changed) > len(shown):
        lines.append(f"... {len(changed) - len(shown)} more; {len(changed)} requests differ")
    return lines
