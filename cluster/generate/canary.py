"""Whether workers can work at all: a drawn request of no account, sent to each node.

Where it kills its worker too, it was not the requests before it that did.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from adabldm.core import images, trimap
from cluster.generate.protocol import CANARY, Work, work_table
from cluster.generate.settings import WorkerSettings
from cluster.generate.worker import Worker
from cluster.storage.hashing import sha256

SIDE = 64
SECONDS = 900
"""How long a canary may take, from its worker's start."""


def canary(work: Work) -> Work:
    """A plain request to the model of ``work``."""
    shades = np.linspace(90, 160, SIDE, dtype=np.uint8)
    image = images.encode_png(np.broadcast_to(shades[:, None], (SIDE, SIDE, 3)).copy())
    marks = np.full((SIDE, SIDE), trimap.OBJECT, np.uint8)
    marks[24:40, 24:40] = trimap.DEFECT
    return replace(
        work,
        request_id=CANARY,
        image={"bytes": image, "path": None},
        trimap={"bytes": images.encode_png(marks), "path": None},
        placement=None,
        prompt="a defect",
        negative_prompt="",
        source_sha256=sha256(image),
        trimap_sha256="",
    )


def sound_nodes(
    work: Work, nodes: Collection[str], gpus: float, settings: WorkerSettings
) -> set[str]:
    """Those of ``nodes`` on which a worker outlives a canary of the model of ``work``."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    table = work_table([canary(work)])
    settings = replace(settings, stores=False)
    resources: dict[str, Any] = {"num_cpus": 0, "num_gpus": gpus} if gpus else {"num_cpus": 1}
    actor = ray.remote(max_restarts=0, **resources)(_Canary)
    asked = {}
    for node in nodes:
        pinned = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        worker = actor.options(scheduling_strategy=pinned).remote(settings)
        asked[worker.outlives.remote(table)] = (node, worker)
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=SECONDS)
    sound = set()
    for answer in ready:
        try:
            ray.get(answer)
            sound.add(asked[answer][0])
        except ray.exceptions.RayError:
            continue
    for _, worker in asked.values():
        ray.kill(worker)
    return sound


class _Canary:
    def __init__(self, settings: WorkerSettings) -> None:
        self._worker = Worker(settings)

    def outlives(self, table: pa.Table) -> bool:
        """Always, if it answers."""
        self._worker(table)
        return True
