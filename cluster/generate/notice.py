"""Whether a worker's machine is about to be taken away: Ray's draining nodes, of which clouds tell
30 to 120 s before."""

from __future__ import annotations

import time
from threading import Thread
from typing import Any

from cluster.generate.identity import Identity

ASK_SECONDS = 3.0


class Notice:
    """Of the node that ``who`` is on; asked for beside the work."""

    def __init__(self, who: Identity) -> None:
        self._node = who.node
        self._since: float | None = None
        if who.is_actor:
            Thread(target=self._ask, daemon=True, name="notice").start()

    def seconds(self) -> float | None:
        """Seconds since it was known, None if it is not."""
        return None if self._since is None else time.monotonic() - self._since

    def give(self) -> None:
        """From now on it is known."""
        self._since = time.monotonic()

    def _ask(self) -> None:
        import ray._private.state as state

        known: Any = state.state
        while self._since is None:
            try:
                if self._node in known.get_draining_nodes():
                    self.give()
            except Exception:  # noqa: S110 - Ray's own trouble; its nodes die without a notice too
                pass
            time.sleep(ASK_SECONDS)
