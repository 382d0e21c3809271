"""The whole manifest, checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from adabldm.core.faults import InputFault
from cluster.manifest.reader import Manifest, Row
from cluster.manifest.request_checks import Fingerprints, RequestChecks, RequestFaults, RowFault
from cluster.manifest.roster import Roster

SHOWN_FAULTS = 50
THREADS = 16


def validate(manifest: Manifest, checks: RequestChecks) -> Roster:
    """Check every row and return the roster of requests.

    Raises :class:`InputFault` with a line for each fault, up to a limit, and their number.
    """
    lines: list[str] = []
    total = 0
    roster = Roster()
    try:
        for number, row, result in _checked(manifest, checks):
            for fault in _faults(roster, number, row, result):
                total += 1
                if total <= SHOWN_FAULTS:
                    lines.append(_line(number, row, fault))
        if total > SHOWN_FAULTS:
            lines.append(f"... {total - SHOWN_FAULTS} more; {total} faults in all")
        if not manifest.rows:
            lines.append(f"manifest: {manifest.place.shown!r}: has no rows")
        if lines:
            raise InputFault(*lines)
    except BaseException:
        roster.close()
        raise
    return roster


def _checked(
    manifest: Manifest, checks: RequestChecks
) -> Iterator[tuple[int, Row, Fingerprints | RequestFaults]]:
    def check(row: Row) -> Fingerprints | RequestFaults:
        try:
            return checks.check(row)
        except RequestFaults as faults:
            return faults

    with ThreadPoolExecutor(THREADS) as pool:
        for start, rows in manifest.chunks():
            for offset, result in enumerate(pool.map(check, rows)):
                yield start + offset, rows[offset], result


def _faults(
    roster: Roster, number: int, row: Row, result: Fingerprints | RequestFaults
) -> list[RowFault]:
    found = list(result.faults) if isinstance(result, RequestFaults) else []
    request_id = row.get("request_id")
    if not any(fault.field == "request_id" for fault in found):
        prints = result if isinstance(result, Fingerprints) else Fingerprints("", "", "", "")
        earlier = roster.add(str(request_id), number, prints)
        if earlier is not None:
            rule = f"must be unique, row {earlier} has it too"
            found.append(RowFault("request_id", request_id, rule))
    return found


def _line(number: int, row: Row, fault: RowFault) -> str:
    shown = repr(fault.value)
    if len(shown) > 200:
        shown = shown[:200] + "..."
    where = f"row {number} (request_id {row.get('request_id')!r:.250})"
    return f"{where}: {fault.field}: {shown}: {fault.rule}"
