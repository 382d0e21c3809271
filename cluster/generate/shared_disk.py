"""Whether a job's local places are there for the workers of other nodes too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from adabldm.core.faults import InputFault
from cluster.manifest.reader import Manifest
from cluster.storage.location import Location
from cluster.storage.passing_file import passing_file

ANSWER_SECONDS = 60
RULE = "is on a disk that {} has not: a cluster of several nodes needs a bucket or a shared disk"

Ask = Callable[[Iterable[str]], Mapping[str, list[str]]]
"""Of paths: the nodes' names, each with those that are not there."""


def refuse_unshared(output: Location, manifest: Manifest, model: str | None, ask: Ask) -> None:
    """Raise :class:`InputFault` if a node has not what its workers need of this machine's disks:
    the ``output``, the pictures of ``manifest`` and the files of ``model`` (None: it has none).

    A file that is written to the output for it is gone afterwards.
    """
    places: dict[str, tuple[str, str]] = {}
    if model is not None:
        places[model] = ("model", model)
    if (picture := _local_picture(manifest)) is not None:
        places[picture.path] = ("manifest", manifest.place.shown)
    seen = passing_file(output)
    if output.is_local:
        seen.write(b"")
        places[seen.path] = ("output", output.shown)
    try:
        missing = ask(list(places)) if places else {}
    finally:
        if output.is_local:
            seen.remove()
    lines = {
        f"{field}: {shown!r}: {RULE.format(node)}"
        for node, paths in sorted(missing.items())
        for field, shown in (places[path] for path in paths)
    }
    if lines:
        raise InputFault(*sorted(lines))


def ask_nodes(nodes: Iterable[str]) -> Ask:
    """Asks Ray's ``nodes``, by their ids; one that does not answer in time is not told of."""

    def ask(paths: Iterable[str]) -> Mapping[str, list[str]]:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        known = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
        others = set(nodes) - {ray.get_runtime_context().get_node_id()}
        look = ray.remote(num_cpus=0)(missing_of)
        asked = {}
        for node in others:
            pinned = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
            answer = look.options(scheduling_strategy=pinned).remote(list(paths))
            asked[answer] = known[node]
        if not asked:
            return {}
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
        return {asked[answer]: found for answer in ready if (found := _result(answer))}

    return ask


def missing_of(paths: Iterable[str]) -> list[str]:
    """Those of local ``paths`` that are not there."""
    return [path for path in paths if not os.path.exists(path)]


def _result(answer: object) -> list[str]:
    import ray

    try:
        return list(ray.get(answer))
    except ray.exceptions.RayError:
        return []


def _local_picture(manifest: Manifest) -> Location | None:
    """The first picture of the manifest, if it is a file of this machine."""
    for _, rows in manifest.chunks():
        path = (rows[0].get("image") or {}).get("path")
        place = manifest.resolve(path) if path else None
        return place if place is not None and place.is_local else None
    return None
