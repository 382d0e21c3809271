"""One run of ``generate``, from a manifest to committed pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from adabldm.options import SamplerOptions
from cluster.backends import ModelFault
from cluster.branches import Base, open_branches
from cluster.driver import Driver, Tally
from cluster.faults import InputFault
from cluster.flow import Pool, window_rows
from cluster.ledger import Ledger
from cluster.manifest import Manifest
from cluster.model_check import has_control_branch, image_size, model_fingerprint
from cluster.pending import pending_windows
from cluster.ray_session import ray_session
from cluster.requests import RequestChecks
from cluster.resume import index_schema, mark_committed
from cluster.roster import Roster
from cluster.row_models import RowModels
from cluster.run_binding import RunBinding, unbind
from cluster.storage import PARTIAL, Location, location
from cluster.validation import validate
from cluster.worker import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What ``generate`` is asked for; URIs as typed. ``named_branches`` are ALIAS=URI,
    ``branches`` is a folder of them."""

    manifest: str
    model: str
    output: str
    pool: Pool
    options: SamplerOptions
    keep: tuple[str, ...] = ()
    allowed_roots: Sequence[str] = ()
    named_branches: Sequence[str] = ()
    branches: str | None = None


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


def generate(asked: Generation, progress: Progress) -> Outcome:
    """Check everything, then make what is not committed yet.

    Raises :class:`InputFault` before anything is written, :class:`~cluster.faults.JobFault` when
    the job cannot go on.
    """
    output = location("output", asked.output)
    ledger = Ledger(output)
    binding = RunBinding(
        model=asked.model,
        model_fingerprint=model_fingerprint(asked.model),
        config=_config(asked),
    )
    if not binding.check(output) and ledger.exists:
        raise InputFault.of("output", output.shown, "has an index but no run.json")
    manifest = Manifest(asked.manifest, asked.allowed_roots)
    _refuse_without_branch(asked.model, manifest)
    checks = RequestChecks(manifest, _row_models(asked, manifest, binding.model_fingerprint))
    schema = index_schema(manifest, ledger)
    roster = validate(manifest, checks)
    try:
        failed_before = mark_committed(manifest, ledger, roster)
        if roster.count(done=False) == 0:
            _clear_partial(output)
            return _outcome(output, roster, Tally(), failed_before)
        bound_now = binding.bind(output)
        seen = ledger.version
        ledger.claim(schema)
        if ledger.version != seen + 1:  # Another driver committed while this one was checking.
            failed_before = mark_committed(manifest, ledger, roster)
        before = roster.count(done=True)
        driver = Driver(
            ledger=ledger,
            schema=schema,
            pool=asked.pool,
            settings=_worker_settings(asked, output),
            model=asked.model,
            config_fingerprint=binding.config_fingerprint,
            progress=lambda tally, waiting: progress(roster.count(), before, tally, waiting),
        )
        try:
            with ray_session(asked.pool.most, asked.pool.gpus):
                windows = pending_windows(manifest, checks, roster, window_rows(asked.pool))
                tally = driver.drive(windows)
        except (ModelFault, InputFault) as error:
            if bound_now and driver.tally.committed == 0:
                ledger.discard()
                unbind(output)
            raise InputFault(str(error)) from error
        _clear_partial(output)
        return _outcome(output, roster, tally, failed_before)
    finally:
        roster.close()


NO_BRANCH = "has no control branch: train one with `adabldm train`"


def _refuse_without_branch(model: str, manifest: Manifest) -> None:
    """The job's model needs a control branch if any row is left to it."""
    if has_control_branch(model):
        return
    if any(row.get("model") in (None, "", model) for _, rows in manifest.chunks() for row in rows):
        raise InputFault.of("model", model, NO_BRANCH)


def _fingerprint_with_branch(model: str) -> str:
    """The fingerprint of a model that a row names."""
    fingerprint = model_fingerprint(model)
    if not has_control_branch(model):
        raise InputFault.of("model", model, NO_BRANCH)
    return fingerprint


def _row_models(asked: Generation, manifest: Manifest, fingerprint: str) -> RowModels:
    base = Base(model=asked.model, fingerprint=fingerprint, image_size=image_size(asked.model))
    branches = open_branches(asked.named_branches, asked.branches, base)
    return RowModels(manifest, base, _fingerprint_with_branch, branches)


def _config(asked: Generation) -> dict[str, object]:
    """Every setting that shapes the files."""
    gpu = asked.pool.gpus > 0
    return {
        **asdict(asked.options),
        "keep": sorted(asked.keep),
        "device": "cuda" if gpu else "cpu",
        # On a GPU a batch's shape may change last bits; on a CPU each request is by itself.
        "batch_size": asked.pool.batch_size if gpu else None,
    }


def _worker_settings(asked: Generation, output: Location) -> WorkerSettings:
    gpu = asked.pool.gpus > 0
    return WorkerSettings(
        output=output,
        options=asked.options,
        device="cuda" if gpu else "cpu",
        keep=asked.keep,
        compute_batch=asked.pool.batch_size if gpu else None,
    )


def _outcome(output: Location, roster: Roster, tally: Tally, failed_before: int) -> Outcome:
    return Outcome(
        output=output,
        requests=roster.count(),
        made=tally.made,
        failed=tally.failed,
        failed_before=failed_before,
    )


def _clear_partial(output: Location) -> None:
    """Remove files that a killed worker left unfinished."""
    partial = output.join(PARTIAL)
    if output.is_local and partial.is_folder():
        partial.fs.rm(partial.path, recursive=True)
