"""The candidates of a request: their seeds, and which of them is kept."""

from __future__ import annotations

from adabldm.core import random_streams
from adabldm.judging.verdict import Verdict


def candidate_seed(seed: int, number: int) -> int:
    """The seed of a request's candidate ``number``; that of the first, 0, is the request's own."""
    if number == 0:
        return seed
    return int(random_streams.stream(seed, "candidate", number).integers(2**63))


def is_better(one: Verdict, other: Verdict) -> bool:
    """Whether ``one`` goes before ``other``, which was drawn earlier: an accepted pair before a
    rejected one, then by score."""
    return (one.reason is None, one.score) > (other.reason is None, other.score)
