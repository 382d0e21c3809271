"""Failures that may be the model's: held back while it has made nothing.

When too many have come, a drawn request of no account is tried. Where it is made, the requests have
failed through themselves; where it fails too, it is the model, and no request is condemned.
"""

from __future__ import annotations

from adabldm.core.faults import JobFault
from cluster.generate.canary import canary
from cluster.generate.protocol import FAILED, Fact, Work

HOPELESS_FAILURES = 100
"""So many that fail, and none that does not: is it the requests?"""


class Suspects:
    """Of a job whose model ``works``, as earlier runs have shown."""

    def __init__(self, works: bool) -> None:
        self._works = works
        self._held: list[Fact] = []
        self.canary: Work | None = None
        """What is to be tried before anything else."""

    def take(self, fact: Fact, work: Work) -> list[Fact]:
        """The facts that stand, now that ``fact`` has come, of ``work``."""
        if self._works:
            return [fact]
        if fact.status != FAILED:
            return [*self._released(), fact]
        if fact.own:
            return [fact]
        self._held.append(fact)
        if len(self._held) >= HOPELESS_FAILURES and self.canary is None:
            self.canary = canary(work)
        return []

    def tried(self, fact: Fact) -> list[Fact]:
        """The facts that stand, now that the canary's has come. Raises :class:`JobFault`."""
        if fact.status == FAILED and not self._works:
            count, reason = len(self._held), self._held[-1].reason
            told = f"the first {count} requests all failed: {reason}"
            raise JobFault(f"{told} (and a drawn one that is in order: {fact.reason})")
        self.canary = None
        return self._released()

    def rest(self) -> list[Fact]:
        """What is held when all others are through: too few to doubt the model."""
        return self._released()

    def _released(self) -> list[Fact]:
        self._works = True
        held, self._held = self._held, []
        return held
