"""Requests that go through one at a time, because workers have died on them or they have hung."""

from __future__ import annotations

from collections import Counter, deque

from cluster.generate.protocol import Work

DEATHS = 2
"""So many workers die on a request with others, and it goes through alone."""
DEATHS_ALONE = 2
"""So many die on it alone, and it is lost."""
HOPELESS = 20
"""So many wait to go alone, and they do before the others go on."""


class Alone:
    """``waiting`` are those that are to go alone, ``lost`` those on whom workers died alone, with
    the reason."""

    def __init__(self) -> None:
        self.waiting: deque[Work] = deque()
        self.lost: list[tuple[Work, str]] = []
        self._deaths: Counter[str] = Counter()
        self._deaths_alone: Counter[str] = Counter()
        self._under_way = 0
        self._has_turn = False

    @property
    def is_busy(self) -> bool:
        return bool(self.waiting) or self._under_way > 0

    def has_turn(self, *, others: int) -> bool:
        """Whether nothing else is to be given out now; ``others`` wait or are under way, those
        that go alone among them."""
        if not self.is_busy:
            self._has_turn = False
        elif len(self.waiting) >= HOPELESS or others <= self._under_way:
            self._has_turn = True
        return self._has_turn

    def give(self) -> Work:
        """The next one; it is under way until it is :meth:`back`."""
        self._under_way += 1
        return self.waiting.popleft()

    def back(self) -> None:
        """One of those that were given has come back."""
        self._under_way -= 1

    def died(self, work: Work, reason: str, *, alone: bool) -> bool:
        """A worker has died on ``work``; whether it may go on with others."""
        name = work.request_id
        if not alone:
            self._deaths[name] += 1
            if self._deaths[name] < DEATHS:
                return True
            self.waiting.append(work)
            return False
        self._deaths_alone[name] += 1
        if self._deaths_alone[name] < DEATHS_ALONE:
            self.waiting.append(work)
        else:
            self.lost.append((work, reason))
        return False

    def forget(self, name: str) -> None:
        """The request has its fact."""
        self._deaths.pop(name, None)
        self._deaths_alone.pop(name, None)

    def take_lost(self) -> list[tuple[Work, str]]:
        """Those that are lost; from now on they are not any more."""
        found, self.lost = self.lost, []
        for work, _ in found:
            self.forget(work.request_id)
        return found
