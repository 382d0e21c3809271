"""One run of ``generate``, from a manifest to committed pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace

import pyarrow as pa

from adabldm.core.faults import InputFault, JobFault
from adabldm.judging.likeness import RealDefects
from adabldm.judging.limits import OFF
from adabldm.judging.options import JudgeOptions
from adabldm.sampling.options import ModeOptions
from cluster.generate.budget import Budget, Spending
from cluster.generate.compute_batch import ComputeBatch
from cluster.generate.driver import Driver, Tally
from cluster.generate.flow import Pool, nodes_for
from cluster.generate.index_columns import index_schema
from cluster.generate.meters import DriverMeters
from cluster.generate.resume import forget_failed, mark_committed
from cluster.generate.settling import Settling
from cluster.generate.shared_disk import ask_nodes, refuse_unshared
from cluster.generate.telling import Telling
from cluster.generate.time_limit import default_time_limit
from cluster.generate.validated import Rules, how, validated
from cluster.generate.windows import FIRST_ROWS, pending_windows
from cluster.generate.worker import WorkerSettings
from cluster.generate.workers import RayWorkers
from cluster.launch.session import ray_session
from cluster.manifest.memory import Memory
from cluster.manifest.reader import Manifest
from cluster.manifest.real_defects import (
    fingerprint_of,
    real_defects_of,
)
from cluster.manifest.request_checks import RequestChecks
from cluster.manifest.roster import Roster
from cluster.models.catalog import open_branches
from cluster.models.inspect import EMBEDDED, ModelFacts, model_location
from cluster.models.kinds import inspect_model, kind_of
from cluster.models.loading import ModelFault
from cluster.models.row_models import NO_BRANCH, RowModels
from cluster.output.index import Ledger
from cluster.output.paths import default_shards
from cluster.output.progress import read_progress
from cluster.output.run_json import SHARDS, RunBinding, bound_shards, unbind
from cluster.output.schema import OK, REJECTED
from cluster.output.tally import OutputTally, tally_of
from cluster.output.unfinished import clear_unfinished
from cluster.storage.conditional_put import refuse_without_conditional_put
from cluster.storage.location import Location, location


@dataclass(frozen=True, kw_only=True)
class GenerationSpec:
    """What ``generate`` is asked for; URIs as typed.

    Without ``judge`` pairs are not judged. ``named_branches`` are ALIAS=URI, ``branches`` is a
    folder of them. A worker takes ``pool.batch_size`` requests a call and computes
    ``compute_batch`` of them together. If ``strict``, a prompt that the model cuts is a fault. A
    request is computed for ``time_limit`` seconds at most (None: the mode's). ``retry_failed``
    makes requests again that have failed. A type's files are spread over ``shards`` folders; None
    leaves it to the output, or to the number of requests. ``budget`` says when to stop.
    """

    manifest: str
    model: str
    output: str
    pool: Pool
    options: ModeOptions
    judge: JudgeOptions | None = None
    keep: tuple[str, ...] = ()
    allowed_roots: Sequence[str] = ()
    named_branches: Sequence[str] = ()
    branches: str | None = None
    compute_batch: ComputeBatch = None
    strict: bool = False
    time_limit: float | None = None
    retry_failed: bool = False
    shards: int | None = None
    budget: Budget = field(default_factory=Budget)

    @property
    def seconds(self) -> float:
        """What a request may take to be computed."""
        if self.time_limit is not None:
            return self.time_limit
        return default_time_limit(self.options.mode, self.judge, self.pool.device)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``requests`` in the manifest, of which as many have each status ``before`` this run; what
    ``this_run`` did; and what is in the output ``in_all``, whichever manifest asked for it."""

    output: Location
    requests: int
    before: Mapping[str, int]
    this_run: Tally
    in_all: OutputTally


Progress = Callable[[int, int, Tally, int], None]
"""Called with all requests, those committed before, this run's, and those about to be."""


def _ignore(_: str) -> None:
    """Tell nobody."""


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
        model=model.uri, model_fingerprint=model.fingerprint, config=_config(spec, real, shards)
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


def generate(
    spec: GenerationSpec, progress: Progress, remark: Callable[[str], None] = _ignore
) -> Outcome:
    """Check everything, tell ``remark`` what is worth a look, then make what is not committed yet.

    Raises :class:`InputFault` before anything is written, and
    :class:`~adabldm.core.faults.JobFault` when the job cannot go on.
    """
    with checked(spec) as job:
        _spending(spec, job.output, lambda: 0.0).refuse_spent()
        for line in job.remarks:
            remark(line)
        tally, before = Tally(), job.before
        if job.roster.count(done=False):
            claim = _claim(job, retry_failed=spec.retry_failed)
            before = claim.before
            tally = _drive(spec, job, claim, progress)
            clear_unfinished(job.output, job.ledger.epoch)
        return Outcome(
            output=job.output,
            requests=job.roster.count(),
            before=before,
            this_run=tally,
            in_all=tally_of(job.ledger),
        )


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """Whether the output was ``bound_now`` for the first time, and what was there ``before`` as it
    is since no other driver can commit."""

    bound_now: bool
    before: Mapping[str, int]


def _claim(job: CheckedJob, *, retry_failed: bool) -> _Claim:
    """Bind the output to the job and become its only driver."""
    refuse_without_conditional_put(job.output)
    bound_now = job.binding.bind(job.output)
    before, seen = job.before, job.ledger.version
    try:
        job.ledger.claim(job.schema)
    except BaseException:
        if bound_now and not job.ledger.exists:
            unbind(job.output)
        raise
    job.binding.bind(job.output)  # A driver that gave the output up has taken its binding along.
    if job.ledger.version != seen + 1:  # Another driver committed while this one was checking.
        before = mark_committed(job.manifest, job.ledger, job.roster, retry_failed=retry_failed)
    if retry_failed:
        forget_failed(job.ledger, job.roster)
    return _Claim(bound_now=bound_now, before=before)


def _drive(spec: GenerationSpec, job: CheckedJob, claim: _Claim, progress: Progress) -> Tally:
    """Make what is left. An output that was bound in vain is left as it was found."""
    roster, before = job.roster, job.roster.count(done=True)
    asked, meters = roster.count(), None

    def told(tally: Tally, waiting: int) -> None:
        progress(asked, before, tally, waiting)
        if meters is not None:
            meters.tell(asked=asked, committed=before + tally.committed, uncommitted=waiting)

    settings = replace(
        worker_settings(spec, job.output, job.ledger.epoch), real=job.real, shards=job.shards
    )
    workers = RayWorkers(spec.pool, settings)
    spending = _spending(spec, job.output, workers.seconds)
    driver = Driver(
        ledger=job.ledger,
        schema=job.schema,
        pool=spec.pool,
        settings=settings,
        workers=workers,
        spending=spending,
        model=spec.model,
        config_fingerprint=job.binding.config_fingerprint,
        progress=told,
        settling=Settling(job.manifest.place, job.model.uri),
        rows=roster.count(done=False),
        telling=Telling(job.output, roster.count(done=False), spending),
        made_before=any(claim.before.get(status) for status in (OK, REJECTED)),
    )
    windows = pending_windows(job.manifest, job.checks, roster, first=FIRST_ROWS)
    try:
        with ray_session(spec.pool.most, spec.pool.gpus):
            _refuse_unshared(spec, job)
            meters = DriverMeters()
            tally = driver.drive(windows)
            told(tally, 0)
            return tally
    except (ModelFault, InputFault) as error:
        if isinstance(error, ModelFault) and (before or driver.tally.committed):
            raise JobFault(str(error)) from error
        if claim.bound_now:
            job.ledger.discard(before=lambda: unbind(job.output))
        raise InputFault(str(error)) from error


def _spending(
    spec: GenerationSpec, output: Location, worker_seconds: Callable[[], float]
) -> Spending:
    """What the run will spend, beside what earlier ones have told."""
    told = read_progress(output)
    before = (told.worker_hours, told.cost or 0.0) if told is not None else (0.0, 0.0)
    return Spending(spec.budget, worker_seconds, *before)


def _refuse_unshared(spec: GenerationSpec, job: CheckedJob) -> None:
    """A cluster's nodes need to see the job's places."""
    files = kind_of(job.model.uri).has_files and job.model.uri != EMBEDDED
    place = model_location(job.model.uri) if files else None
    model = place.path if place is not None and place.is_local else None
    refuse_unshared(job.output, job.manifest, model, ask_nodes(nodes_for(spec.pool.gpus)))


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


def _config(
    spec: GenerationSpec, real: Mapping[tuple[str, str], RealDefects], shards: int
) -> dict[str, object]:
    """Every setting that shapes the files."""
    limited = spec.judge is not None and spec.judge.limits.real_distance < OFF
    return {
        **asdict(spec.options),
        "keep": sorted(spec.keep),
        "device": spec.pool.device,
        # On a GPU a batch's shape may change last bits; on a CPU each request is by itself.
        "batch_size": spec.compute_batch,
        # An output that is not judged is bound as those were before there was a judge.
        **({"judge": _judge_config(spec.judge)} if spec.judge else {}),
        **({"real_defects": fingerprint_of(real)} if limited else {}),
        # As are those of which a type's files are in one folder.
        **({SHARDS: shards} if shards else {}),
    }


def _judge_config(judge: JudgeOptions) -> dict[str, object]:
    """The judge's settings; JSON has no number for a limit that is off."""
    limits = {
        name: "off" if math.isinf(value) else value for name, value in asdict(judge.limits).items()
    }
    return asdict(judge) | {"limits": limits}


def worker_settings(spec: GenerationSpec, output: Location, epoch: int = 0) -> WorkerSettings:
    """How the job's workers work, writing to ``output`` for the driver with ``epoch``."""
    return WorkerSettings(
        output=output,
        options=spec.options,
        device=spec.pool.device,
        judge=spec.judge,
        keep=spec.keep,
        compute_batch=spec.compute_batch,
        epoch=epoch,
        time_limit=spec.seconds,
    )
