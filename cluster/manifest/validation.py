"""The whole manifest, checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from adabldm.core.faults import InputFault
from cluster.manifest.memory import Memory
from cluster.manifest.reader import Manifest, Row
from cluster.manifest.remarks import Remarks
from cluster.manifest.request_checks import (
    CheckedRequest,
    Fingerprints,
    RequestChecks,
    RequestFaults,
    RowFault,
)
from cluster.manifest.roster import Roster

SHOWN_FAULTS = 50
THREADS = 16
NO_PRINTS = Fingerprints("", "", "", "")


def validate(
    manifest: Manifest,
    checks: RequestChecks,
    remarks: Remarks | None = None,
    *,
    one_folder: bool = False,
    memory: Memory | None = None,
) -> Roster:
    """Check every row and return the roster of requests; ``remarks`` sees those without faults, and
    ``memory`` those that were checked.

    With ``one_folder`` some files of all requests are in one folder. Raises :class:`InputFault`
    with a line for each fault, up to a limit, and their number.
    """
    lines: list[str] = []
    total = 0
    roster = Roster()
    try:
        for number, row, result in _checked(manifest, checks):
            for fault in _faults(roster, number, row, result, one_folder):
                total += 1
                if total <= SHOWN_FAULTS:
                    lines.append(_line(number, manifest.part_of(number), row, fault))
            if isinstance(result, CheckedRequest):
                if remarks is not None:
                    remarks.look(number, row, result.height, result.width, deep=result.deep)
                if memory is not None:
                    memory.take(roster, row, result)
        lines += _of_all(manifest, total, remarks)
        if lines:
            raise InputFault(*lines)
    except BaseException:
        roster.close()
        raise
    return roster


def _of_all(manifest: Manifest, faults: int, remarks: Remarks | None) -> list[str]:
    """Lines on the manifest as a whole."""
    lines = []
    if faults > SHOWN_FAULTS:
        lines.append(f"... {faults - SHOWN_FAULTS} more; {faults} faults in all")
    if not manifest.rows:
        lines.append(f"manifest: {manifest.place.shown!r}: has no rows")
    return [*lines, *(remarks.faults() if remarks is not None else [])]


def _checked(
    manifest: Manifest, checks: RequestChecks
) -> Iterator[tuple[int, Row, CheckedRequest | RequestFaults]]:
    def look(row: Row) -> CheckedRequest | RequestFaults:
        try:
            return checks.look(row)
        except RequestFaults as faults:
            return faults

    with ThreadPoolExecutor(THREADS) as pool:
        for start, rows in manifest.chunks():
            for offset, result in enumerate(pool.map(look, rows)):
                yield start + offset, rows[offset], result


def _faults(
    roster: Roster,
    number: int,
    row: Row,
    result: CheckedRequest | RequestFaults,
    one_folder: bool,
) -> list[RowFault]:
    found = list(result.faults) if isinstance(result, RequestFaults) else []
    wrong = {fault.field for fault in found}
    folder = 0
    if not wrong & {"object", "defect"}:
        known = roster.folders.of(row["object"], row["defect"], number)
        folder = 0 if one_folder else known.number
        for name, earlier in (("object", known.object), ("defect", known.defect)):
            if earlier is not None:
                rule = f"is the folder of {earlier.name!r} (row {earlier.row}) on some file systems"
                found.append(RowFault(name, row[name], rule))
    if "request_id" not in wrong:
        request_id = row["request_id"]
        prints = result.prints if isinstance(result, CheckedRequest) else NO_PRINTS
        earlier = roster.add(request_id, number, prints, folder)
        if earlier is not None:
            rule = f"must be unique, row {earlier.row} has it too"
            if earlier.name != request_id:
                rule = f"is the file of {earlier.name!r} (row {earlier.row}) on some file systems"
            found.append(RowFault("request_id", request_id, rule))
    return found


def _line(number: int, part: str | None, row: Row, fault: RowFault) -> str:
    shown = repr(fault.value)
    if len(shown) > 200:
        shown = shown[:200] + "..."
    more = f", {part}" if part else ""
    where = f"row {number} (request_id {row.get('request_id')!r:.250}{more})"
    return f"{where}: {fault.field}: {shown}: {fault.rule}"
