"""What a user says about which pixels of a mask are meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["auto", "nonzero", "bright", "dark", "alpha", "transparent", "value"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RULE = "must be auto, nonzero, bright, dark, alpha, transparent, or value:N (value:N,M for several)"


@dataclass(frozen=True)
class MaskRule:
    """Which pixels of a mask are meant.

    ``auto`` finds out; ``nonzero``: all that is not 0; ``bright`` and ``dark``: the upper and the
    lower half of the mask's range; ``alpha``: what is not transparent, ``transparent``: what is;
    ``value``: these ``values`` (of a palette its numbers).
    """

    kind: Kind = "auto"
    values: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> MaskRule:
        """Read ``str`` of a rule. Raises ``ValueError`` that says what a rule is."""
        name, colon, numbers = text.partition(":")
        kind = next((kind for kind in KINDS if kind == name), None)
        if kind is None or (kind == "value") != bool(colon):
            raise ValueError(RULE)
        if kind != "value":
            return cls(kind)
        try:
            values = tuple(sorted({int(number) for number in numbers.split(",")}))
        except ValueError:
            raise ValueError(RULE) from None
        if not all(0 < value < 1 << 16 for value in values):
            raise ValueError("a mask's value is 1 to 65535 (0 is what is not marked)")
        return cls(kind, values)

    def __str__(self) -> str:
        numbers = ",".join(map(str, self.values))
        return f"{self.kind}:{numbers}" if self.values else self.kind


AUTO = MaskRule()


AUTO = MaskRule()
