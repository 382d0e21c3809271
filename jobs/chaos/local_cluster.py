"""A Ray cluster of several nodes on this machine, whose parts can be killed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from tenacity import Retrying, stop_after_attempt

from jobs.chaos.own_ray import (
    LOOPBACK,
    OBJECT_STORE,
    end_processes_of,
    free_port,
    let_nodes_take_their_time,
    prepare_environment,
)

CPUS = 2
ATTEMPTS = 5
PORTS = ("metrics_agent_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
"""Of a node's agents; Ray gives an agent that is to choose one 30 s."""


class LocalCluster:
    """A head that runs no work and ``nodes`` that do; all that drivers need to join it is in this
    process's environment. To be made before Ray is imported."""

    def __init__(self, nodes: int, temporary: Path) -> None:
        prepare_environment()
        let_nodes_take_their_time()
        self._nodes_beside, self._temporary = nodes, temporary
        self._clusters: list[Any] = []
        self._start()

    def _start(self) -> None:
        from ray.cluster_utils import Cluster

        self._common: dict[str, Any] = {
            "object_store_memory": OBJECT_STORE,
            "node_ip_address": LOOPBACK,
            "temp_dir": f"{self._temporary}{len(self._clusters)}",
        }
        self._cluster = Cluster()
        self._clusters.append(self._cluster)
        self._add(num_cpus=0, include_dashboard=False)
        os.environ["RAY_ADDRESS"] = self._cluster.address
        for _ in range(self._nodes_beside):
            self.add_node()

    def add_node(self) -> None:
        """One more, that works."""
        self._add(num_cpus=CPUS)

    def _add(self, **more: Any) -> None:
        """On a busy machine Ray's own limits end some nodes while they start. What has a port
        already is not waited for."""

        def add() -> None:
            ports = {name: free_port() for name in PORTS}
            self._cluster.add_node(**more, **ports, **self._common)

        Retrying(stop=stop_after_attempt(ATTEMPTS), reraise=True)(add)

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

    def drain_node(self, rng: random.Random, seconds: float) -> Callable[[], None]:
        """Tell a node's workers that it goes in so many ``seconds``, as clouds do; what is returned
        takes it away, and another node comes."""
        from ray.core.generated.autoscaler_pb2 import DrainNodeReason

        cluster, node = self._cluster, self._node(rng)
        reason = DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION
        end = int((time.time() + seconds) * 1000)
        node.get_gcs_client().drain_node(node.node_id, reason, "a spot notice", end, timeout=10)

        def gone() -> None:
            if cluster is self._cluster and node in cluster.worker_nodes:
                cluster.remove_node(node, allow_graceful=False)
                self.add_node()

        return gone

    def lose_head(self) -> None:
        """All of the head's processes die at once; the other nodes find out by themselves. Drivers
        that are started from now on join another cluster."""
        head = self._cluster.head_node
        started = psutil.Process(_raylet_of(head)).children(recursive=True)
        for processes in head.all_processes.values():
            for one in processes:
                with suppress(ProcessLookupError):
                    os.kill(one.process.pid, signal.SIGKILL)
                    one.process.wait()
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._start()

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
        for node in [one for cluster in self._clusters for one in cluster.worker_nodes]:
            with suppress(psutil.NoSuchProcess):
                for process in psutil.Process(_raylet_of(node)).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        name = "".join(process.cmdline()[:1])
                        if name.startswith("ray::") and "Worker" in name:
                            found.append(process)
        return sorted(found, key=lambda process: process.pid)

    def close(self) -> None:
        for cluster in self._clusters:
            with suppress(Exception):  # of one whose head was lost
                cluster.shutdown()
        end_processes_of(self._temporary)

    def _nodes(self) -> list[Any]:
        return sorted(self._cluster.worker_nodes, key=_raylet_of)

    def _node(self, rng: random.Random) -> Any:
        return rng.choice(self._nodes())


def _raylet_of(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)
