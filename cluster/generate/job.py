"""One run of ``generate``, from a manifest to committed pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from adabldm.core.faults import InputFault, JobFault
from cluster.generate.budget import Spending
from cluster.generate.checked import CheckedJob, checked
from cluster.generate.driver import Driver, Tally
from cluster.generate.meters import DriverMeters
from cluster.generate.nodes import nodes_for
from cluster.generate.resume import forget_failed, mark_committed
from cluster.generate.settling import Settling
from cluster.generate.shared_disk import ask_nodes, refuse_unshared
from cluster.generate.spec import GenerationSpec, worker_settings
from cluster.generate.telling import Telling
from cluster.generate.windows import FIRST_ROWS, pending_windows
from cluster.generate.workers import RayWorkers
from cluster.launch.session import ray_session
from cluster.models.inspect import EMBEDDED, model_location
from cluster.models.kinds import kind_of
from cluster.models.loading import ModelFault
from cluster.output.progress import read_progress
from cluster.output.run_json import unbind
from cluster.output.schema import OK, REJECTED
from cluster.output.tally import OutputTally, tally_of
from cluster.output.unfinished import clear_unfinished
from cluster.storage.conditional_put import refuse_without_conditional_put
from cluster.storage.location import Location
from cluster.storage.passing_file import clear_passing


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
            clear_passing(job.output)
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
    told = read_progress(output, surely=True)
    before = (told.worker_hours, told.cost or 0.0) if told is not None else (0.0, 0.0)
    return Spending(spec.budget, worker_seconds, *before)


def _refuse_unshared(spec: GenerationSpec, job: CheckedJob) -> None:
    """A cluster's nodes need to see the job's places."""
    files = kind_of(job.model.uri).has_files and job.model.uri != EMBEDDED
    place = model_location(job.model.uri) if files else None
    model = place.path if place is not None and place.is_local else None
    refuse_unshared(job.output, job.manifest, model, ask_nodes(nodes_for(spec.pool.gpus)))
