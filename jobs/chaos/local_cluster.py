"""A Ray cluster of several nodes on this machine, whose parts can be killed."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from jobs.chaos.own_ray import (
    LOOPBACK,
    OBJECT_STORE,
    let_nodes_take_their_time,
    prepare_environment,
)

CPUS = 2


class LocalCluster:
    """A head that runs no work and ``nodes`` that do; all that drivers need to join it is in this
    process's environment. To be made before Ray is imported."""

    def __init__(self, nodes: int, temporary: Path) -> None:
        prepare_environment()
        from ray.cluster_utils import Cluster

        let_nodes_take_their_time()
        self._common: dict[str, Any] = {
            "object_store_memory": OBJECT_STORE,
            "node_ip_address": LOOPBACK,
            "temp_dir": str(temporary),
        }
        self._cluster = Cluster()
        self._cluster.add_node(num_cpus=0, include_dashboard=False, **self._common)
        os.environ["RAY_ADDRESS"] = self._cluster.address
        for _ in range(nodes):
            self.add_node()

    def add_node(self) -> None:
        self._cluster.add_node(num_cpus=CPUS, **self._common)

    def lose_node(self, rng: random.Random) -> None:
        """All of a node's processes die at once; another node comes."""
        self._cluster.remove_node(self._node(rng), allow_graceful=False)
        self.add_node()

    def kill_raylet(self, rng: random.Random) -> None:
        """The process that stands for a node dies, and what it leaves; another node comes."""
        node = self._node(rng)
        os.kill(_raylet_of(node), signal.SIGKILL)
        self._cluster.remove_node(node, allow_graceful=False)
        self.add_node()

    def kill_worker(self, rng: random.Random) -> bool:
        """Kill one process that works; whether there was one."""
        found = self.workers()
        if not found:
            return False
        with suppress(psutil.NoSuchProcess):
            rng.choice(found).kill()
        return True

    def workers(self) -> list[psutil.Process]:
        """Processes that do a job's work, oldest first."""
        found = []
        for node in self._nodes():
            with suppress(psutil.NoSuchProcess):
                for process in psutil.Process(_raylet_of(node)).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        name = "".join(process.cmdline()[:1])
                        if name.startswith("ray::") and "Worker" in name:
                            found.append(process)
        return sorted(found, key=lambda process: process.pid)

    def close(self) -> None:
        self._cluster.shutdown()

    def _nodes(self) -> list[Any]:
        return sorted(self._cluster.worker_nodes, key=_raylet_of)

    def _node(self, rng: random.Random) -> Any:
        return rng.choice(self._nodes())


def _raylet_of(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)
