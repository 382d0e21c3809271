"""Whether the node that this program works from is still there.

Where a node's raylet dies and its head lives, Ray tells the driver nothing: its workers die, new
ones are asked of a process that is gone, and it would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

LOOK_SECONDS = 10.0


class OwnNode:
    """The node of the driver that makes this, looked at beside the work until it is closed.

    ``look`` says whether it is there; what it raises says nothing, as when the head is away.
    """

    def __init__(self, look: Callable[[], bool] | None = None, every: float = LOOK_SECONDS) -> None:
        self._look = look or _asked_of_ray()
        self._every = every
        self.is_lost = False
        self._closed = Event()
        Thread(target=self._watch, daemon=True, name="own node").start()

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self.is_lost and not self._closed.wait(self._every):
            try:
                self.is_lost = not self._look()
            except Exception:  # noqa: S112
                continue


def _asked_of_ray() -> Callable[[], bool]:
    import ray

    own = ray.get_runtime_context().get_node_id()

    def look() -> bool:
        return any(node["NodeID"] == own and node["Alive"] for node in ray.nodes())

    return look
