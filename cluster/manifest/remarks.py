"""What a model will not do with a manifest as its writer may think; no faults, but worth a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from cluster.models.kinds import kind_of
from cluster.models.row_models import RowModel
from cluster.models.text_limit import TextLimit

KEPT_MODELS = 10_000
SHOWN_ROWS = 3
TEXTS = ("prompt", "negative_prompt")


@dataclass
class _Found:
    """How many rows there are of a kind, the first ones, and the one that is the furthest off."""

    count: int = 0
    first: list[str] = field(default_factory=list)
    worst: float = 0.0
    worst_told: str = ""

    def add(self, number: int, row: Mapping[str, Any], off: float = 0.0, told: str = "") -> None:
        self.count += 1
        if len(self.first) < SHOWN_ROWS:
            self.first.append(f"{number} ({row['request_id']!r:.250})")
        if off > self.worst:
            self.worst, self.worst_told = off, f"{told} in row {number}"

    @property
    def rows(self) -> str:
        more = ", ..." if self.count > len(self.first) else ""
        return f"row{'s' if self.count > 1 else ''} {', '.join(self.first)}{more}"


class Remarks:
    """Looks at rows without faults; ``model_of`` gives the model of what a row says. If
    ``strict``, a text that its model cuts is a fault; ``native`` is whether pairs have their
    pictures' size."""

    def __init__(
        self,
        model_of: Callable[[str | None], RowModel],
        *,
        strict: bool = False,
        native: bool = False,
    ) -> None:
        self._strict, self._native = strict, native
        self._model_of = lru_cache(KEPT_MODELS)(model_of)
        self._limit_of: Callable[[str], TextLimit | None] = cache(
            lambda uri: kind_of(uri).text_limit(uri)
        )
        self._rows = 0
        self._cut = {name: _Found() for name in TEXTS}
        self._tokens: set[int] = set()
        self._squeezed, self._small, self._deep = _Found(), _Found(), _Found()
        self._sides: set[int] = set()

    def look(
        self, number: int, row: Mapping[str, Any], height: int, width: int, *, deep: bool = False
    ) -> None:
        """Look at a row whose good picture is (height, width) pixels large, and ``deep`` if it has
        more than 8 bits a channel.

        Raises :class:`~adabldm.core.faults.InputFault` for a model that cannot be looked at.
        """
        self._rows += 1
        model = self._model_of(row.get("model"))
        limit = self._limit_of(model.model)
        if limit is not None:
            for name in TEXTS:
                text = row.get(name)
                if text and limit.cuts(text):
                    self._tokens.add(limit.tokens)
                    self._cut[name].add(number, row)
        shown = f"{width} x {height}"
        side = model.image_size
        if height != width and not self._native:
            ratio = max(height, width) / min(height, width)
            self._squeezed.add(number, row, ratio, f"{ratio:.3g} : 1 ({shown})")
        if side is not None and min(height, width) < side:
            self._small.add(number, row, side / min(height, width), shown)
        if side is not None:
            self._sides.add(side)
        if deep:
            self._deep.add(number, row)

    def faults(self) -> list[str]:
        """Lines on what is refused."""
        return self._cuts() if self._strict else []

    def lines(self) -> list[str]:
        """Lines on what is done all the same."""
        return [*([] if self._strict else self._cuts()), *self._sizes()]

    def _cuts(self) -> list[str]:
        tokens = _numbers(self._tokens)
        return [
            f"{name}: {found.count} of {self._rows} are longer than the model's {tokens} tokens "
            f"and are cut there: {found.rows}"
            for name, found in self._cut.items()
            if found.count
        ]

    def _sizes(self) -> list[str]:
        told = []
        filled = "mirrored at their borders to fill it" if self._native else "enlarged"
        square = f"square of {_numbers(self._sides)} pixels" if self._sides else "square"
        if self._squeezed.count:
            told.append(
                f"image: {self._squeezed.count} of {self._rows} are not square and are squeezed "
                f"into the model's {square}; the most {self._squeezed.worst_told}"
            )
        if self._small.count:
            told.append(
                f"image: {self._small.count} of {self._rows} are smaller than the model's {square} "
                f"and are {filled}; the smallest {self._small.worst_told}"
            )
        if self._deep.count:
            told.append(
                f"image: {self._deep.count} of {self._rows} have more than 8 bits a channel; their "
                f"pairs have 8: {self._deep.rows}"
            )
        return told


def _numbers(found: set[int]) -> str:
    return " or ".join(str(number) for number in sorted(found))
