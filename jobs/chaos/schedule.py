"""Which faults strike, in which order and how far apart: a function of a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Where = Literal["s3", "disk", "any"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of fault: how many of a hundred are of it, ``where`` the output is, and what it is
    ``of`` in the table."""

    share: int
    where: Where
    of: str


KINDS: Mapping[str, Kind] = {
    "403": Kind(share=6, where="s3", of="S3"),
    "500": Kind(share=6, where="s3", of="S3"),
    "503": Kind(share=7, where="s3", of="S3"),
    "slow": Kind(share=6, where="s3", of="S3"),
    "cut": Kind(share=7, where="s3", of="S3"),
    "lost answer": Kind(share=6, where="s3", of="S3"),
    "wrong bytes": Kind(share=8, where="s3", of="S3"),
    "worker killed": Kind(share=22, where="any", of="processes"),
    "raylet killed": Kind(share=3, where="any", of="processes"),
    "node lost": Kind(share=3, where="any", of="processes"),
    "node drained": Kind(share=3, where="any", of="processes"),
    "head lost": Kind(share=1, where="any", of="processes"),
    "driver killed": Kind(share=3, where="any", of="processes"),
    "two drivers": Kind(share=2, where="any", of="processes"),
    "frozen driver, another takes over": Kind(share=2, where="any", of="processes"),
    "SIGTERM": Kind(share=2, where="any", of="processes"),
    "disk full": Kind(share=4, where="disk", of="disk"),
    "file replaced": Kind(share=7, where="disk", of="disk"),
    "clock jump": Kind(share=5, where="disk", of="clock"),
}
ROWS = ("hanging row", "crashing row", "raising row", "NaN row")
"""Faults that lie in a manifest: one of each is in every round."""
GAPS = (0.5, 4.0)
"""Seconds from one fault to the next."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault of ``kind``, ``gap`` seconds after the one before; ``seed`` draws what else it
    needs."""

    kind: str
    gap: float
    seed: int

    @property
    def where(self) -> Where:
        return KINDS[self.kind].where


def draw_schedule(seed: int, count: int, kinds: Mapping[str, Kind] = KINDS) -> list[Fault]:
    """``count`` faults; each of ``kinds`` is among them if there is room."""
    rng = random.Random(f"chaos {seed}")  # noqa: S311
    names = list(kinds)[:count]
    weights = [kind.share for kind in kinds.values()]
    names += rng.choices(list(kinds), weights, k=count - len(names))
    rng.shuffle(names)
    return [Fault(kind=name, gap=rng.uniform(*GAPS), seed=rng.getrandbits(32)) for name in names]


class Pending:
    """Faults that have not struck yet, handed out in their order to rounds that have a place for
    them."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = list(faults)

    def __len__(self) -> int:
        return len(self._faults)

    def next_place(self) -> Literal["s3", "disk"] | None:
        """Where the most of what is left can strike; None if nothing is left."""
        if not self._faults:
            return None
        of_s3 = sum(fault.where == "s3" for fault in self._faults)
        of_disk = sum(fault.where == "disk" for fault in self._faults)
        return "s3" if of_s3 >= of_disk else "disk"

    def take(self, place: str) -> Fault | None:
        """The next fault that can strike where the output is at ``place``."""
        for number, fault in enumerate(self._faults):
            if fault.where in (place, "any"):
                return self._faults.pop(number)
        return None

    def give_back(self, faults: list[Fault]) -> None:
        """These found nothing to strike; they are the next."""
        self._faults[:0] = faults

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)
