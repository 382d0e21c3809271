"""What a run of ``generate`` is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from adabldm.judging.likeness import RealDefects
from adabldm.judging.limits import OFF
from adabldm.judging.options import JudgeOptions
from adabldm.sampling.options import ModeOptions
from cluster.generate.budget import Budget
from cluster.generate.compute_batch import ComputeBatch
from cluster.generate.pool import Pool
from cluster.generate.settings import WorkerSettings
from cluster.generate.time_limit import default_time_limit
from cluster.manifest.real_defects import fingerprint_of
from cluster.output.run_json import SHARDS
from cluster.storage.location import Location


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


def bound_settings(
    spec: GenerationSpec, real: Mapping[tuple[str, str], RealDefects], shards: int
) -> dict[str, object]:
    """Every setting that shapes the files, for ``run.json``."""
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
