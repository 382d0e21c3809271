"""The check of a job's manifest, or what an earlier one has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cluster.manifest.memory import Memory
from cluster.manifest.reader import Manifest
from cluster.manifest.remarks import Remarks
from cluster.manifest.request_checks import RequestChecks
from cluster.manifest.roster import Roster
from cluster.manifest.validation import validate
from cluster.models.catalog import FoundBranch
from cluster.models.inspect import ModelFacts

if TYPE_CHECKING:
    from cluster.generate.job import GenerationSpec


def validated(
    spec: GenerationSpec, manifest: Manifest, checks: RequestChecks, memory: Memory
) -> tuple[Roster, Sequence[str]]:
    """The roster of a manifest that is in order, and the remarks on it; of a large one as they were
    found before, if nothing has changed. Raises :class:`~adabldm.core.faults.InputFault`."""
    if memory.is_worth_it and (known := memory.recall(checks)) is not None:
        return known
    remarks = Remarks(
        checks.models.of, strict=spec.strict, native=spec.options.resolution == "native"
    )
    roster = validate(
        manifest,
        checks,
        remarks,
        one_folder=_one_folder(spec),
        memory=memory if memory.is_worth_it else None,
    )
    lines = remarks.lines()
    if memory.is_worth_it:
        memory.keep(roster, lines)
    return roster, lines


def how(
    spec: GenerationSpec, model: ModelFacts, branches: Mapping[str, FoundBranch]
) -> list[object]:
    """All besides the manifest that its checks depend on."""
    named = {name: [one.place.uri, one.card.fingerprint] for name, one in branches.items()}
    facts = [model.uri, model.fingerprint]
    rules = [spec.strict, spec.options.resolution, _one_folder(spec)]
    return [sorted(spec.allowed_roots), facts, named, *rules]


def _one_folder(spec: GenerationSpec) -> bool:
    """Whether some files of all requests are in one: that of the pictures besides the pairs."""
    return bool(spec.keep or spec.judge)
