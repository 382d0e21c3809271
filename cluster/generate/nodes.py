"""The nodes of the Ray that a job works on."""

from __future__ import annotations


def nodes_for(gpus: float) -> set[str]:
    """Nodes that could hold a worker of ``gpus`` GPUs, or one of a CPU."""
    import ray

    kind, least = ("GPU", min(gpus, 1)) if gpus else ("CPU", 1)
    return {
        node["NodeID"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get(kind, 0) >= least
    }
