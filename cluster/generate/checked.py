"""A job whose input was looked at, before anything is started or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pyarrow as pa

from adabldm.core.faults import InputFault
from adabldm.judging.likeness import RealDefects
from adabldm.judging.limits import OFF
from cluster.generate.index_columns import index_schema
from cluster.generate.resume import mark_committed
from cluster.generate.spec import GenerationSpec, bound_settings
from cluster.generate.validated import Rules, how, validated
from cluster.manifest.memory import Memory
from cluster.manifest.reader import Manifest
from cluster.manifest.real_defects import real_defects_of
from cluster.manifest.request_checks import RequestChecks
from cluster.manifest.roster import Roster
from cluster.models.catalog import open_branches
from cluster.models.inspect import ModelFacts
from cluster.models.kinds import inspect_model
from cluster.models.row_models import NO_BRANCH, RowModels
from cluster.output.index import Ledger
from cluster.output.paths import default_shards
from cluster.output.run_json import RunBinding, bound_shards
from cluster.storage.location import Location, location


@dataclass(frozen=True, kw_only=True)
class CheckedJob:
    """A job whose input is in order: what is to be made, and what its output holds already;
    as many requests as ``before`` says have each status; ``real`` defects that the judge compares
    with, by object and type; ``remarks`` are lines worth a look."""

    output: Location
    ledger: Ledger
    model: ModelFacts
    binding: RunBinding
    manifest: Manifest
    checks: RequestChecks
    schema: pa.Schema
    roster: Roster
    before: Mapping[str, int]
    real: Mapping[tuple[str, str], RealDefects]
    shards: int = 0
    remarks: Sequence[str] = ()


@contextmanager
def checked(spec: GenerationSpec) -> Iterator[CheckedJob]:
    """Check everything; nothing is started or written.

    Raises :class:`InputFault`.
    """
    output = location("output", spec.output)
    ledger = Ledger(output)
    model = inspect_model(spec.model)
    manifest = Manifest(spec.manifest, spec.allowed_roots)
    real = _real_defects(spec, manifest)
    shards = _shards(spec, output, manifest)
    binding = RunBinding(
        model=model.uri,
        model_fingerprint=model.fingerprint,
        config=bound_settings(spec, real, shards),
    )
    if not binding.check(output) and ledger.exists:
        raise InputFault.of("output", output.shown, "has an index but no run.json")
    _refuse_without_branch(model, manifest)
    branches = open_branches(spec.named_branches, spec.branches, model)
    rules = Rules(
        roots=tuple(spec.allowed_roots),
        strict=spec.strict,
        resolution=spec.options.resolution,
        one_folder=bool(spec.keep or spec.judge),
    )
    memory = Memory(manifest, how(rules, model, branches))
    models = RowModels(manifest.resolve, model, inspect_model, branches)
    checks = RequestChecks(manifest, models, memory.looked if memory.is_worth_it else None)
    schema = index_schema(manifest, ledger)
    roster, lines = validated(rules, manifest, checks, memory)
    with closing(roster):
        yield CheckedJob(
            output=output,
            ledger=ledger,
            model=model,
            binding=binding,
            manifest=manifest,
            checks=checks,
            schema=schema,
            roster=roster,
            before=mark_committed(manifest, ledger, roster, retry_failed=spec.retry_failed),
            real=real,
            shards=shards,
            remarks=[*manifest.remarks, *lines],
        )


def _refuse_without_branch(model: ModelFacts, manifest: Manifest) -> None:
    """The job's model needs a control branch if any row is left to it."""
    if model.has_control_branch:
        return
    left = (None, "", model.uri)
    if any(row.get("model") in left for _, rows in manifest.chunks() for row in rows):
        raise InputFault.of("model", model.uri, NO_BRANCH)


def _real_defects(
    spec: GenerationSpec, manifest: Manifest
) -> Mapping[tuple[str, str], RealDefects]:
    """What the judge compares with. Raises :class:`InputFault` where it has a limit for that, and
    there is nothing."""
    if spec.judge is None:
        return {}
    real, limit = real_defects_of(manifest), spec.judge.limits.real_distance
    if limit < OFF and not real:
        rule = "needs the real defects that plan writes beside a manifest, and there are none: "
        raise InputFault.of("--limit", f"real_distance={limit:g}", rule + manifest.place.shown)
    return real


def _shards(spec: GenerationSpec, output: Location, manifest: Manifest) -> int:
    if spec.shards is not None:
        return spec.shards
    bound = bound_shards(output)
    return default_shards(manifest.rows) if bound is None else bound
