"""``adabldm generate --dry-run``: what a job would take, told before anything starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adabldm.core.faults import InputFault
from cluster.generate.checked import CheckedJob, checked
from cluster.generate.rate import Rate, measured_rate
from cluster.generate.spec import GenerationSpec
from cluster.models.kinds import Backend, kind_of
from cluster.models.loading import ModelFault, load_backend


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """``gflop`` an image by part (empty for a pipeline that only sleeps); ``rate`` None where
    nothing is pending; ``draws`` a request, the judge's retries apart; ``remarks`` on the
    manifest."""

    requests: int
    pending: int
    draws: int
    gflop: dict[str, float]
    rate: Rate | None
    remarks: Sequence[str] = ()

    @property
    def tflop(self) -> float:
        """TFLOP an image."""
        return sum(self.gflop.values()) / 1e3

    @property
    def worker_hours(self) -> float:
        """Hours of one worker for all that is pending, retries apart."""
        if self.rate is None:
            return 0.0
        draws = self.draws if self.rate.requests is None else 1
        return self.pending * draws / self.rate.images_per_second / 3600


def check_figures(dry_run: bool, rate: float | None, price: float | None) -> None:
    """Raises :class:`InputFault` unless ``rate`` (images/s) is above 0, ``price`` (an hour) is 0 or
    more, and there is a rate for a dry run only."""
    for name, value, legal, rule in (
        ("--rate", rate, rate is None or rate > 0, "must be finite and above 0"),
        ("--price", price, price is None or price >= 0, "must be finite and 0 or more"),
    ):
        if value is None:
            continue
        if not dry_run and name == "--rate":
            raise InputFault.of(name, value, "is for --dry-run")
        if not (math.isfinite(value) and legal):
            raise InputFault.of(name, value, rule)


def forecast(spec: GenerationSpec, images_per_second: float | None) -> Forecast:
    """Check the job as ``generate`` does and foresee it; starts no Ray, writes nothing to the
    output.

    The rate is ``images_per_second`` of a worker, or is measured here. Raises as
    :func:`cluster.generate.checked.checked` and :func:`cluster.generate.rate.measured_rate`.
    """
    with checked(spec) as job:
        rate = None
        if job.roster.count(done=False):
            given = images_per_second
            rate = Rate(images_per_second=given) if given else measured_rate(spec, job)
        return Forecast(
            requests=job.roster.count(),
            pending=job.roster.count(done=False),
            draws=spec.judge.candidates if spec.judge else 1,
            gflop=_gflop(spec, job),
            rate=rate,
            remarks=job.remarks,
        )


def _gflop(spec: GenerationSpec, job: CheckedJob) -> dict[str, float]:
    """GFLOP of an image of the job's own model, by part."""

    def load() -> Backend:
        return load_backend(job.model.uri, "cpu", job.model.fingerprint)

    try:
        return kind_of(job.model.uri).gflop(load, spec.options)
    except ModelFault as error:
        raise InputFault(str(error)) from error


def lines(spec: GenerationSpec, seen: Forecast, price: float | None) -> list[str]:
    """The forecast in words; ``price`` of a worker's hour."""
    told = [
        "dry run: nothing was started, nothing was written",
        f"images      {seen.pending} to make; {seen.requests - seen.pending} of {seen.requests} "
        "requests have a row",
        f"arithmetic  {_arithmetic(seen, native=spec.options.resolution == 'native')}",
    ]
    if seen.rate is None:
        return [*told, "nothing is left to do"]
    pool, hours = spec.pool, seen.worker_hours
    source = "as given"
    if seen.rate.requests is not None:
        each = f" of {seen.draws} draws each" if seen.draws > 1 else ""
        measured = f"measured here on {seen.rate.requests} requests{each}"
        source = f"{measured}, its start and first call apart"
    told.append(f"rate        {seen.rate.images_per_second:.3g} images/s a worker ({source})")
    gpus = f", {hours * pool.gpus:.3g} GPU hours" if pool.gpus else ""
    with_most = f"{hours / pool.most:.3g} h with {pool.most} busy"
    told.append(f"time        {hours:.3g} worker hours{gpus}; {with_most}, starting up apart")
    if price is not None:
        told.append(f"cost        {hours * price:,.2f} at {price:g} a worker hour")
    if spec.judge is not None:
        most = seen.draws * (spec.judge.retries + 1)
        more = f", up to {most} where the judge rejects" if most > seen.draws else ""
        told.append(f"draws       {seen.draws} a request reckoned with{more}")
    return told


def _arithmetic(seen: Forecast, *, native: bool) -> str:
    if not seen.gflop:
        return "none: a pipeline that only sleeps"
    parts = ", ".join(f"{name} {gflop / 1e3:.3g}" for name, gflop in seen.gflop.items() if gflop)
    everything = seen.tflop * seen.pending * seen.draws
    told = f"{seen.tflop:.4g} TFLOP an image ({parts}), {everything:,.4g} in all"
    return f"{told}, where each is one window" if native else told
