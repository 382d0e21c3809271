"""Places for many defects at a time on one picture (paper, section III-B).

A few turns of the mask are tried, each with a few guesses of the position. What these did not
place is computed: the positions of the mask's smallest shapes, from which one is drawn. So no row
tries without end, and a mask that is given up has no position in any of its smallest shapes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np

from adabldm.core.byte_cache import ByteCache
from adabldm.core.random_streams import RowStreams
from adabldm.placement.allowed_area import AllowedArea
from adabldm.placement.shape_bank import ShapeBank

TURNS, GUESSES = 8, 12
SPOTS, SHAPES = 5, 32
"""Where places are not alike: places that are tried, and shapes at each."""
SMALLEST = 32
"""Shapes of a mask whose positions are computed when guessing was in vain."""
UNKNOWN = -1
MOST_POSITIONS = 1_024
"""Positions kept of a mask on a picture: evenly chosen from all of its smallest shapes'."""
REMEMBERED_BYTES = 128_000_000
OVERHEAD = 400
"""Bytes of an entry without positions."""


@dataclass(frozen=True)
class Places:
    """``found`` bool (N,); where it is True, the shape's number, ``top`` and ``left``."""

    found: np.ndarray
    shape: np.ndarray
    top: np.ndarray
    left: np.ndarray

    @classmethod
    def none(cls, count: int) -> Places:
        return cls(np.zeros(count, bool), *(np.zeros(count, np.int32) for _ in range(3)))


@dataclass(frozen=True)
class Boxes:
    """Boxes that are taken, K of each row: (N, K) each; a height of 0 is no box."""

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray

    def meet(self, top: np.ndarray, left: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a row's new box of ``size`` (N, 2) touches any of its own boxes; bool (N,)."""
        below = (top[:, None] <= self.top + self.height) & (self.top <= (top + size[:, 0])[:, None])
        beside = (left[:, None] <= self.left + self.width) & (
            self.left <= (left + size[:, 1])[:, None]
        )
        return (below & beside & (self.height > 0)).any(axis=1)

    def of(self, rows: np.ndarray) -> Boxes:
        return Boxes(self.top[rows], self.left[rows], self.height[rows], self.width[rows])


@dataclass(frozen=True)
class _Positions:
    """Positions of some shapes: shape ``k`` has those up to ``ends[k]``."""

    shapes: np.ndarray
    ends: np.ndarray
    flat: np.ndarray

    @property
    def nbytes(self) -> int:
        return OVERHEAD + self.shapes.nbytes + self.ends.nbytes + self.flat.nbytes


class Placer:
    """Draws placements of one product's masks; remembers what it computed."""

    def __init__(self, bank: ShapeBank, streams: RowStreams) -> None:
        self.bank = bank
        self._streams = streams
        self._computed: ByteCache[tuple[Hashable, int], _Positions] = ByteCache(
            REMEMBERED_BYTES, lambda known: known.nbytes
        )
        self._placeable: dict[Hashable, np.ndarray] = {}

    def place(
        self,
        key: Hashable,
        area: AllowedArea,
        rows: np.ndarray,
        masks: np.ndarray,
        purpose: str,
        taken: Boxes | None = None,
        kinds: np.ndarray | None = None,
        turns: np.ndarray | None = None,
    ) -> Places:
        """A place in ``area``, known as ``key``, for mask ``masks[i]`` of each row ``rows[i]``.

        The scale is even between 0.85 and 1.15, the angle between 0 and 360 degrees, or near those
        of ``turns`` (N,) as in :meth:`~adabldm.placement.shape_bank.ShapeBank.drawn`, given that
        they fit; so is the position among all where the shape fits. In a weighted area the place
        is drawn first, as likely as the map of the row's kind (``kinds`` (N,), those of one mask
        alike) says, then a shape that fits over it; where none of some fits, another place.
        ``taken`` boxes are not touched; then a row may stay without a place that has one.
        """
        places = Places.none(len(rows))
        shapes = np.zeros(len(rows), np.int32)
        placeable = self._can_be_placed(key, area, masks)
        kinds = kinds if area.weighted else None
        for turn in range(TURNS if kinds is None else SPOTS):
            left_over = np.flatnonzero(~places.found & placeable)
            if not len(left_over):
                break
            chance = self._streams.uniform(f"{purpose}/{turn}", rows[left_over])
            if kinds is not None:
                spots = area.likely_spots(kinds[left_over], chance)
                self._fit_over(
                    places, area, rows, masks, left_over, spots, f"{purpose}/{turn}", taken, turns
                )
                continue
            shapes[left_over] = self.bank.drawn(
                masks[left_over],
                area.height_of_picture,
                area.width_of_picture,
                chance,
                None if turns is None else turns[left_over],
            )
            self._guess(places, area, rows, shapes, left_over, f"{purpose}/{turn}", taken)
        if taken is None:
            chance = self._streams.uniform(f"{purpose}/computed", rows)
            for row in np.flatnonzero(~places.found & placeable).tolist():
                kind = None if kinds is None else int(kinds[row])
                known = self._positions(key, area, int(masks[row]), kind)
                self._choose(places, area, row, known, float(chance[row]))
        return places

    def _guess(
        self,
        places: Places,
        area: AllowedArea,
        rows: np.ndarray,
        shapes: np.ndarray,
        left_over: np.ndarray,
        purpose: str,
        taken: Boxes | None,
    ) -> None:
        for number in range(GUESSES):
            chance = self._streams.uniform(f"{purpose}/{number}", rows[left_over])
            found = area.guess(self.bank, shapes[left_over], chance)
            left_over = left_over[~self._keep(places, shapes[left_over], left_over, found, taken)]
            if not len(left_over):
                return

    def _fit_over(
        self,
        places: Places,
        area: AllowedArea,
        rows: np.ndarray,
        masks: np.ndarray,
        left_over: np.ndarray,
        spots: np.ndarray,
        purpose: str,
        taken: Boxes | None,
        turns: np.ndarray | None,
    ) -> None:
        height, width = area.height_of_picture, area.width_of_picture
        for number in range(SHAPES):
            chance = self._streams.uniform(f"{purpose}/{number}", rows[left_over])
            wanted = None if turns is None else turns[left_over]
            shapes = self.bank.drawn(masks[left_over], height, width, chance, wanted)
            pixel = self._streams.uniform(f"{purpose}/{number}/pixel", rows[left_over])
            found = area.fit_over(self.bank, shapes, spots, pixel)
            missing = ~self._keep(places, shapes, left_over, found, taken)
            left_over, spots = left_over[missing], spots[missing]
            if not len(left_over):
                return

    def _keep(
        self,
        places: Places,
        shapes: np.ndarray,
        rows: np.ndarray,
        found: tuple[np.ndarray, np.ndarray, np.ndarray],
        taken: Boxes | None,
    ) -> np.ndarray:
        """Write down the places ``found`` (fits, top, left) for ``shapes`` of ``rows``, those that
        touch no box; bool (N,), which these are."""
        fits, top, left = found
        if taken is not None:
            fits = fits & ~taken.of(rows).meet(top, left, self.bank.size[shapes])
        done = rows[fits]
        places.found[done] = True
        places.shape[done] = shapes[fits]
        places.top[done], places.left[done] = top[fits], left[fits]
        return fits

    def _can_be_placed(self, key: Hashable, area: AllowedArea, masks: np.ndarray) -> np.ndarray:
        """Whether any of its smallest shapes has a place in the area, for each mask; bool (N,).

        Asked of every mask before any guess, so that a row's fate does not hang on the others.
        """
        if area.everywhere:
            return np.ones(len(masks), bool)
        known = self._placeable.setdefault(key, np.full(self.bank.masks, UNKNOWN, np.int8))
        for mask in np.unique(masks[known[masks] == UNKNOWN]).tolist():
            shapes = self._smallest(area, mask)
            known[mask] = any(area.has_room(self.bank, shape) for shape in shapes)
        return known[masks] > 0

    def _smallest(self, area: AllowedArea, mask: int) -> Iterator[int]:
        height, width = area.height_of_picture, area.width_of_picture
        return self.bank.smallest(mask, height, width, SMALLEST)

    def _choose(
        self, places: Places, area: AllowedArea, row: int, known: _Positions, chance: float
    ) -> None:
        if not len(known.flat):
            return
        number = int(chance * len(known.flat))
        shape = int(known.shapes[np.searchsorted(known.ends, number, side="right")])
        places.found[row], places.shape[row] = True, shape
        corner = area.corner(int(known.flat[number]))
        places.top[row], places.left[row] = corner

    def _positions(
        self, key: Hashable, area: AllowedArea, mask: int, kind: int | None
    ) -> _Positions:
        known = self._computed.get((key, mask))
        if known is None:
            shapes = np.array(list(self._smallest(area, mask)))
            each = [area.positions(self.bank, int(shape)) for shape in shapes]
            flat, ends = np.concatenate(each), np.cumsum([len(some) for some in each])
            kept = np.arange(0, len(flat), max(1.0, len(flat) / MOST_POSITIONS)).astype(np.int64)
            if kind is not None and len(flat):
                kept = self._by_chance(area, shapes, each, kind)
            known = _Positions(shapes, np.searchsorted(kept, ends), flat[kept])
            self._computed[key, mask] = known
        return known

    def _by_chance(
        self, area: AllowedArea, shapes: np.ndarray, each: list[np.ndarray], kind: int
    ) -> np.ndarray:
        """Numbers of positions, a likely one more often; however many a place has."""
        found = [
            area.chances(self.bank, int(shape), some, kind)
            for shape, some in zip(shapes, each, strict=True)
        ]
        likely, cells = (np.concatenate(part) for part in zip(*found, strict=True))
        total = np.cumsum(likely / np.bincount(cells)[cells])
        quantiles = (np.arange(MOST_POSITIONS) + 0.5) / MOST_POSITIONS * total[-1]
        return np.searchsorted(total, quantiles).astype(np.int64)
