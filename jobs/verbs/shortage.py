"""What an output is short of, for ``adabldm plan --top-up``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adabldm.core.faults import InputFault
from cluster.storage.location import location
from jobs.verbs import places

OPTION = "--top-up"
SHOWN = 5
"""Types that are named in a line."""

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """Pairs that the output at ``place`` is ``lacking``, by object and defect type, of those that
    were ``asked`` for; ``top_up`` is the number of the top-up that is to bring them, from 1."""

    place: str
    asked: int
    top_up: int
    lacking: Mapping[Pair, int]

    @property
    def pairs(self) -> int:
        return sum(self.lacking.values())

    def of(self, known: Iterable[Pair]) -> tuple[Mapping[Pair, int], str | None]:
        """What of it is of the ``known`` types, and a line on what is not (None: all is).

        Raises :class:`InputFault` if nothing is.
        """
        names = set(known)
        found = {pair: count for pair, count in self.lacking.items() if pair in names}
        others = {pair: count for pair, count in self.lacking.items() if pair not in names}
        if not others:
            return found, None
        rule = f"is short of types that are not among the planned ones: {_told(others)}"
        if not found:
            raise InputFault.of(OPTION, self.place, rule)
        return found, f"{OPTION}: {self.place!r}: {rule}"


def read_shortage(uri: str) -> Shortage:
    """Of the output at ``uri``. Raises :class:`InputFault` for a place that is none."""
    from cluster.output.index import Ledger
    from cluster.output.tally import tally_of

    places.refuse_missing(OPTION, uri)
    output = location(OPTION, uri)
    ledger = Ledger(output)
    if not ledger.exists:
        raise InputFault.of(OPTION, output.shown, "has no index; it must be an output of generate")
    tally = tally_of(ledger)
    return Shortage(
        place=output.shown,
        asked=sum(one.asked for one in tally.types.values()),
        top_up=tally.top_ups + 1,
        lacking={pair: one.short for pair, one in tally.types.items() if one.short},
    )


def _told(lacking: Mapping[Pair, int]) -> str:
    """``metal/crack (3), metal/hole (1)``."""
    shown = [f"{'/'.join(pair)} ({count})" for pair, count in list(lacking.items())[:SHOWN]]
    more = f", {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
    return ", ".join(shown) + more


def no_place(lacking: Mapping[Pair, int]) -> str:
    """A line on rows that found no place."""
    return f"no place was found for {_told(lacking)}"
