"""What a user may choose about the judge; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from adabldm.judging.limits import Limits

__all__ = ["JudgeOptions", "Limits", "PublishedMask"]

PublishedMask = Literal["asked", "refined"]
"""The mask that is published with a pair: the one asked for, or what really changed."""


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """How many ``candidates`` of a request are drawn together, of which the best is kept; how often
    it is drawn again (``retries``) while none meets the ``limits``; which ``mask`` is published.

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    candidates: int = 1
    retries: int = 0
    mask: PublishedMask = "asked"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError(f"candidates: {self.candidates!r}: must be 1 or more")
        if self.retries < 0:
            raise ValueError(f"retries: {self.retries!r}: must be 0 or more")
        if self.mask not in get_args(PublishedMask):
            raise ValueError(
                f"mask: {self.mask!r} is not one of {', '.join(get_args(PublishedMask))}"
            )
