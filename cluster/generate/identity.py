"""Who a worker is: its process, and Ray's name of the node that it runs on."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Identity:
    """``worker`` as ``host:process``; ``node`` as Ray names it, None where there is no actor."""

    worker: str
    node: str | None

    @property
    def is_actor(self) -> bool:
        """Whether ending this process ends a worker that Ray starts again."""
        return self.node is not None


def identity() -> Identity:
    """This process's."""
    worker = f"{socket.gethostname()}:{os.getpid()}"
    ray: Any = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return Identity(worker=worker, node=None)
    context = ray.get_runtime_context()
    return Identity(worker=worker, node=context.get_node_id() if context.get_actor_id() else None)
