"""One run of ``generate``, from a manifest to committed pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass

import pyarrow as pa

from adabldm.core.faults import InputFault
from adabldm.sampling.options import SamplerOptions
from cluster.generate.compute_batch import AUTO, ComputeBatch
from cluster.generate.driver import Driver, Tally
from cluster.generate.flow import Pool, window_rows
from cluster.generate.resume import index_schema, mark_committed
from cluster.generate.windows import pending_windows
from cluster.generate.worker import WorkerSettings
from cluster.launch.session import ray_session
from cluster.manifest.reader import Manifest
from cluster.manifest.request_checks import RequestChecks
from cluster.manifest.roster import Roster
from cluster.manifest.validation import validate
from cluster.models.catalog import open_branches
from cluster.models.inspect import ModelFacts
from cluster.models.kinds import inspect_model
from cluster.models.loading import ModelFault
from cluster.models.row_models import NO_BRANCH, RowModels
from cluster.output.index import Ledger
from cluster.output.run_json import RunBinding, unbind
from cluster.storage.location import PARTIAL, Location, location


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What ``generate`` is asked for; URIs as typed. ``named_branches`` are ALIAS=URI,
    ``branches`` is a folder of them. With ``fit_batch`` a worker on a GPU computes as many of a
    call's rows together as fit in its memory, else all of them."""

    manifest: str
    model: str
    output: str
    pool: Pool
    options: SamplerOptions
    keep: tuple[str, ...] = ()
    allowed_roots: Sequence[str] = ()
    named_branches: Sequence[str] = ()
    branches: str | None = None
    fit_batch: bool = False

    @property
    def compute_batch(self) -> ComputeBatch:
        """How many requests are computed together: on a CPU each is by itself."""
        if not self.pool.gpus:
            return None
        return AUTO if self.fit_batch else self.pool.batch_size


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``requests`` in the manifest; ``made`` and ``failed`` by this run; ``failed_before``."""

    output: Location
    requests: int
    made: int
    failed: int
    failed_before: int


Progress = Callable[[int, int, Tally, int], None]
"""Called with all requests, those committed before, this run's, and those about to be."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A job whose input is in order: what is to be made, and what its output holds already;
    ``failed_before`` requests failed in earlier runs."""

    output: Location
    ledger: Ledger
    model: ModelFacts
    binding: RunBinding
    manifest: Manifest
    checks: RequestChecks
    schema: pa.Schema
    roster: Roster
    failed_before: int


@contextmanager
def checked(asked: Generation) -> Iterator[Checked]:
    """Check everything; nothing is started or written.

    Raises :class:`InputFault`.
    """
    output = location("output", asked.output)
    ledger = Ledger(output)
    model = inspect_model(asked.model)
    binding = RunBinding(
        model=model.uri, model_fingerprint=model.fingerprint, config=_config(asked)
    )
    if not binding.check(output) and ledger.exists:
        raise InputFault.of("output", output.shown, "has an index but no run.json")
    manifest = Manifest(asked.manifest, asked.allowed_roots)
    _refuse_without_branch(model, manifest)
    branches = open_branches(asked.named_branches, asked.branches, model)
    checks = RequestChecks(manifest, RowModels(manifest.resolve, model, inspect_model, branches))
    schema = index_schema(manifest, ledger)
    with closing(validate(manifest, checks)) as roster:
        yield Checked(
            output=output,
            ledger=ledger,
            model=model,
            binding=binding,
            manifest=manifest,
            checks=checks,
            schema=schema,
            roster=roster,
            failed_before=mark_committed(manifest, ledger, roster),
        )


def generate(asked: Generation, progress: Progress) -> Outcome:
    """Check everything, then make what is not committed yet.

    Raises :class:`InputFault` before anything is written, and
    :class:`~adabldm.core.faults.JobFault` when the job cannot go on.
    """
    with checked(asked) as job:
        roster, output, ledger = job.roster, job.output, job.ledger
        if roster.count(done=False) == 0:
            _clear_partial(output)
            return _outcome(job, Tally(), job.failed_before)
        bound_now = job.binding.bind(output)
        failed_before, seen = job.failed_before, ledger.version
        ledger.claim(job.schema)
        if ledger.version != seen + 1:  # Another driver committed while this one was checking.
            failed_before = mark_committed(job.manifest, ledger, roster)
        before = roster.count(done=True)
        driver = Driver(
            ledger=ledger,
            schema=job.schema,
            pool=asked.pool,
            settings=worker_settings(asked, output),
            model=asked.model,
            config_fingerprint=job.binding.config_fingerprint,
            progress=lambda tally, waiting: progress(roster.count(), before, tally, waiting),
        )
        try:
            with ray_session(asked.pool.most, asked.pool.gpus):
                rows = window_rows(asked.pool)
                tally = driver.drive(pending_windows(job.manifest, job.checks, roster, rows))
        except (ModelFault, InputFault) as error:
            if bound_now and driver.tally.committed == 0:
                ledger.discard()
                unbind(output)
            raise InputFault(str(error)) from error
        _clear_partial(output)
        return _outcome(job, tally, failed_before)


def _refuse_without_branch(model: ModelFacts, manifest: Manifest) -> None:
    """The job's model needs a control branch if any row is left to it."""
    if model.has_control_branch:
        return
    left = (None, "", model.uri)
    if any(row.get("model") in left for _, rows in manifest.chunks() for row in rows):
        raise InputFault.of("model", model.uri, NO_BRANCH)


def _config(asked: Generation) -> dict[str, object]:
    """Every setting that shapes the files."""
    gpu = asked.pool.gpus > 0
    return {
        **asdict(asked.options),
        "keep": sorted(asked.keep),
        "device": "cuda" if gpu else "cpu",
        # On a GPU a batch's shape may change last bits; on a CPU each request is by itself.
        "batch_size": asked.compute_batch,
    }


def worker_settings(asked: Generation, output: Location) -> WorkerSettings:
    """How the job's workers work, writing to ``output``."""
    gpu = asked.pool.gpus > 0
    return WorkerSettings(
        output=output,
        options=asked.options,
        device="cuda" if gpu else "cpu",
        keep=asked.keep,
        compute_batch=asked.compute_batch,
    )


def _outcome(job: Checked, tally: Tally, failed_before: int) -> Outcome:
    return Outcome(
        output=job.output,
        requests=job.roster.count(),
        made=tally.made,
        failed=tally.failed,
        failed_before=failed_before,
    )


def _clear_partial(output: Location) -> None:
    """Remove files that a killed worker left unfinished."""
    partial = output.join(PARTIAL)
    if output.is_local and partial.is_folder():
        partial.fs.rm(partial.path, recursive=True)
