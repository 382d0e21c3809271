"""The check of a job's manifest, or what an earlier one has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from cluster.manifest.memory import Memory
from cluster.manifest.reader import Manifest
from cluster.manifest.remarks import Remarks
from cluster.manifest.request_checks import RequestChecks
from cluster.manifest.roster import Roster
from cluster.manifest.validation import validate
from cluster.models.catalog import FoundBranch
from cluster.models.inspect import ModelFacts


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a check depends on besides manifest, model and branches: the allowed ``roots``; whether
    it is ``strict``; the ``resolution``; whether some files of all requests are in ``one_folder``
    (that of the pictures besides the pairs)."""

    roots: Sequence[str]
    strict: bool
    resolution: str
    one_folder: bool


def validated(
    rules: Rules, manifest: Manifest, checks: RequestChecks, memory: Memory
) -> tuple[Roster, Sequence[str]]:
    """The roster of a manifest that is in order, and the remarks on it; of a large one as they were
    found before, if nothing has changed. Raises :class:`~adabldm.core.faults.InputFault`."""
    if memory.is_worth_it and (known := memory.recall(checks)) is not None:
        return known
    remarks = Remarks(checks.models.of, strict=rules.strict, native=rules.resolution == "native")
    roster = validate(
        manifest,
        checks,
        remarks,
        one_folder=rules.one_folder,
        memory=memory if memory.is_worth_it else None,
    )
    lines = remarks.lines()
    if memory.is_worth_it:
        memory.keep(roster, lines)
    return roster, lines


def how(rules: Rules, model: ModelFacts, branches: Mapping[str, FoundBranch]) -> list[object]:
    """All besides the manifest that its checks depend on, as JSON can hold it."""
    named = {name: [one.place.uri, one.card.fingerprint] for name, one in branches.items()}
    return [{**asdict(rules), "roots": sorted(rules.roots)}, model.uri, model.fingerprint, named]
