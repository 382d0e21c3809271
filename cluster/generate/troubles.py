"""What goes wrong on the way and may be no request's fault: a node's, a store's, a model's.

Requests in trouble go through again. A node that has one trouble after the other is left, as long
as there is another; a store that is away is waited for. Both have a budget: then the job stops, and
no request is condemned for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from adabldm.core.faults import JobFault
from cluster.generate.protocol import (
    AGAIN,
    FINAL,
    HUNG,
    NO_ROOM,
    UNLOADABLE,
    UNSTARTED,
    Fact,
)
from cluster.models.loading import ModelFault

NODE_TROUBLES = 8
"""So many in a row, of one node, and it is left."""
TRIES = 4
"""How often one request may be in trouble."""
HANDED_BACK = 50
"""How often one request may be handed back by workers that had to leave."""
WAITS = (1.0, 5.0, 15.0, 30.0)
"""Seconds for which nothing is given out, each time that nothing has come through."""

Settle = Callable[[Fact], Fact | None]
"""The final fact of a request in trouble, if the trouble is certainly its own; else None."""


class Troubles:
    """Of one job; ``settle`` looks at a trouble from here, ``nodes`` are those that could take
    workers."""

    def __init__(self, settle: Settle, nodes: Callable[[], set[str]]) -> None:
        self._settle, self._nodes = settle, nodes
        self._in_a_row: Counter[str | None] = Counter()
        self._tries: Counter[str] = Counter()
        self._waits = 0
        self._last = ""
        self._stuck = False
        self.avoided: set[str] = set()
        """Nodes that are left."""

    def consider(self, fact: Fact, *, fresh: bool = True) -> Fact | None:
        """The final fact of a request; None if it is to go through again. A trouble that is not
        ``fresh``, of a call from before the last wait, counts for nothing more.

        Raises :class:`~cluster.models.loading.ModelFault` and :class:`JobFault`.
        """
        if fact.status in FINAL:
            self._in_a_row[fact.node] = 0
            self._waits = 0
            return fact
        if fact.status in (AGAIN, HUNG):
            self._count(fact, HANDED_BACK)
            return None
        if (settled := self._settle(fact)) is not None:
            return settled
        if not fresh:
            return None
        self._last = f"{fact.request_id}: {fact.reason}"
        self._in_a_row[fact.node] += 1
        alone = not self._others(fact.node)
        if fact.status in (UNLOADABLE, UNSTARTED):
            if alone:
                kind = ModelFault if fact.status == UNLOADABLE else JobFault
                raise kind(fact.reason)
            self._in_a_row[fact.node] = NODE_TROUBLES
        if fact.status == NO_ROOM and alone:
            rule = "one request by itself does not fit in a worker's memory"
            raise JobFault(f"{fact.request_id}: {rule} ({fact.reason})")
        self._count(fact, TRIES)
        return None

    def is_time_to_stop(self) -> bool:
        """Whether a node is to be left now, or nothing comes through."""
        worst = [node for node, count in self._in_a_row.items() if count >= NODE_TROUBLES]
        for node in worst:
            if node is not None and self._others(node):
                self.avoided.add(node)
            else:
                self._stuck = True
            self._in_a_row[node] = 0
        return bool(worst)

    def pause(self) -> float:
        """Seconds for which nothing is to be given out, for what may pass. Raises
        :class:`JobFault` when it has not for as long as can be waited."""
        if not self._stuck:
            return 0.0
        if self._waits == len(WAITS):
            raise JobFault(self._last)
        self._waits += 1
        self._stuck = False
        return WAITS[self._waits - 1]

    def _others(self, node: str | None) -> set[str]:
        """Nodes beside ``node`` that are not left."""
        return self._nodes() - self.avoided - {str(node)}

    def _count(self, fact: Fact, most: int) -> None:
        self._tries[fact.request_id] += 1
        if self._tries[fact.request_id] >= most:
            raise JobFault(f"{fact.request_id}: {fact.reason}")
