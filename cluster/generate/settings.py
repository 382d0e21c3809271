"""What a worker is told once, when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adabldm.judging.likeness import RealDefects
from adabldm.judging.options import JudgeOptions
from adabldm.sampling.options import ModeOptions
from cluster.generate.compute_batch import ComputeBatch
from cluster.generate.time_limit import LOAD_SECONDS
from cluster.storage.location import Location


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Where and how a worker works; ``judge`` None: pairs are not judged; ``keep`` names of
    :data:`~cluster.generate.protocol.KEPT`; ``compute_batch`` requests are computed together, or
    ``auto``: as many as fit in memory; ``epoch`` is that of the driver they work for. A request is
    computed for ``time_limit`` seconds at most, and a model loaded for ``load_limit`` (None: any
    time). Without ``stores`` nothing is
    written. ``real`` has the real defects by object and type. A type's files are spread over
    ``shards`` folders (0: they are in one)."""

    output: Location
    options: ModeOptions
    device: str
    judge: JudgeOptions | None = None
    keep: tuple[str, ...] = ()
    compute_batch: ComputeBatch = None
    epoch: int = 0
    time_limit: float | None = None
    load_limit: float | None = LOAD_SECONDS
    stores: bool = True
    shards: int = 0
    real: Mapping[tuple[str, str], RealDefects] = field(default_factory=dict)
