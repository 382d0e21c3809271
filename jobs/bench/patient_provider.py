"""Ray's fake provider of nodes, on a machine that may be busy; Ray loads it by name."""

from __future__ import annotations

from typing import Any

from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider

from jobs.chaos.own_ray import let_nodes_take_their_time


class PatientProvider(FakeMultiNodeProvider):
    """Its nodes may take their time to start."""

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        let_nodes_take_their_time()
        super().__init__(provider_config, cluster_name)
