"""Where on a picture a defect may lie, and whether a shape lies there wholly.

Each pixel knows how many allowed ones follow it in its row, so a shape is inside if each of its
horizontal runs begins where enough of them follow: exact, holes or not, one look a run.
"""

from __future__ import annotations

import numpy as np

from adabldm.placement import transform
from adabldm.placement.shape_bank import ShapeBank
from adabldm.placement.weighted_pixels import WeightedPixels

LARGEST_SIDE = 32_767
"""Columns beyond this are not counted as following."""
GLANCES = 64
"""Positions that are looked at before all of them are computed."""


class AllowedArea:
    """The allowed pixels of a picture of (``height``, ``width``).

    ``allowed`` is (H, W), non-zero where a defect may lie; None is everywhere. ``maps`` (K, h, w),
    above 0, say how likely a place is for each of K kinds of defect; without them all places are
    equally likely.
    """

    def __init__(
        self,
        height: int,
        width: int,
        allowed: np.ndarray | None = None,
        maps: np.ndarray | None = None,
    ) -> None:
        self.height_of_picture, self.width_of_picture = height, width
        self.height, self.width = height, width
        self.everywhere = allowed is None
        self.top = self.left = 0
        self._reach = np.zeros(0, np.int16)
        self._spots = np.zeros(0, np.int32)
        """Allowed pixels, as flat positions in the smallest box that holds them."""
        self._weighted: WeightedPixels | None = None
        if allowed is not None:
            self._index(allowed > 0)
        if maps is not None and self.height:
            self._weigh(maps, np.ones((height, width), bool) if allowed is None else allowed > 0)
        self.nbytes = self._reach.nbytes + self._spots.nbytes
        if self._weighted is not None:
            self.nbytes += self._weighted.nbytes - self._spots.nbytes

    def _index(self, allowed: np.ndarray) -> None:
        if not allowed.any():
            self.height = self.width = 0
            return
        box = transform.bounding_box(allowed)
        self.top, self.left = box[0].start, box[1].start
        inside = allowed[box]
        self.height, self.width = inside.shape
        self.everywhere = bool(inside.all())
        columns = np.arange(self.width, dtype=np.int32)
        barred = np.where(inside, np.int32(self.width), columns)
        next_barred = np.minimum.accumulate(barred[:, ::-1], axis=1)[:, ::-1]
        self._reach = np.minimum(next_barred - columns, LARGEST_SIDE).astype(np.int16).ravel()
        self._spots = np.flatnonzero(inside).astype(np.int32)

    def _weigh(self, maps: np.ndarray, allowed: np.ndarray) -> None:
        box = np.s_[self.top : self.top + self.height, self.left : self.left + self.width]
        height, width = allowed.shape[0], allowed.shape[1]
        self._weighted = WeightedPixels(maps, height, width, allowed[box], self.top, self.left)
        self._spots = self._weighted.spots

    @property
    def weighted(self) -> bool:
        """Whether some places are likelier than others."""
        return self._weighted is not None

    def guess(
        self, bank: ShapeBank, shapes: np.ndarray, chance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A position for each of ``shapes`` (S,): fits (bool), top, left in the picture.

        ``chance`` is (S,) in [0, 1). Of all positions where a shape's middle pixel is allowed,
        each is equally likely; so is then each that fits.
        """
        if self.everywhere and not self.weighted:
            size = bank.size[shapes]
            room = np.array([self.height, self.width]) - size + 1
            fits = (room > 0).all(axis=1)
            number = (chance * np.where(fits, room[:, 0] * room[:, 1], 0)).astype(np.int64)
            top, left = np.divmod(number, np.maximum(room[:, 1], 1))
            return fits, top + self.top, left + self.left
        if not len(self._spots):
            nowhere = np.zeros(len(shapes), np.int64)
            return np.zeros(len(shapes), bool), nowhere, nowhere
        spots = self._spots[(chance * len(self._spots)).astype(np.int64)]
        return self._set_down(bank, shapes, spots, bank.anchor[shapes])

    def likely_spots(self, kinds: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """A pixel for each of ``kinds`` (N,), as likely as its map says, for :meth:`fit_over`;
        ``chance`` (N,) in [0, 1). The area is weighted."""
        assert self._weighted is not None  # noqa: S101
        return self._weighted.draw(kinds, chance)

    def fit_over(
        self, bank: ShapeBank, shapes: np.ndarray, spots: np.ndarray, chance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``shapes`` (S,) set down so that ``spots`` (S,) are in them, by a pixel of theirs that
        ``chance`` (S,) in [0, 1) chooses; as :meth:`guess`. The bank is one of outlines."""
        return self._set_down(bank, shapes, spots, bank.pixels(shapes, chance))

    def _set_down(
        self, bank: ShapeBank, shapes: np.ndarray, spots: np.ndarray, anchor: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        room = np.array([self.height, self.width]) - bank.size[shapes] + 1
        row, column = np.divmod(spots.astype(np.int64), self.width)
        top, left = row - anchor[:, 0], column - anchor[:, 1]
        fits = (top >= 0) & (left >= 0) & (top < room[:, 0]) & (left < room[:, 1])
        if not self.everywhere:
            fits[fits] = self._holds(bank, shapes[fits], top[fits], left[fits])
        return fits, top + self.top, left + self.left

    def positions(self, bank: ShapeBank, shape: int) -> np.ndarray:
        """All positions at which one shape fits, as numbers for :meth:`corner`, int64 (K,)."""
        rows, columns = np.array([self.height, self.width]) - bank.size[shape] + 1
        if rows <= 0 or columns <= 0:
            return np.zeros(0, np.int64)
        if self.everywhere:
            top, left = np.indices((rows, columns))
            return (top * self.width + left).ravel()
        reach = self._reach.reshape(self.height, self.width)
        held = np.ones((rows, columns), bool)
        for row, column, length in bank.extremes[shape].tolist():
            held &= reach[row : row + rows, column : column + columns] >= length
        top, left = np.divmod(np.flatnonzero(held), columns)
        start = top * self.width + left
        for row, column, length in bank.runs(shape).tolist():
            if not len(start):
                break
            start = start[self._reach[start + (row * self.width + column)] >= length]
        return start

    def chances(
        self, bank: ShapeBank, shape: int, positions: np.ndarray, kind: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """How likely the :meth:`positions` of a shape are for a kind of defect, relative to each
        other, by five pixels of the shape: (K,); and the cells of the map in which they are (K,).
        The area is weighted."""
        assert self._weighted is not None  # noqa: S101
        corners = [*bank.extremes[shape, :, :2].tolist(), bank.anchor[shape].tolist()]
        pixels = [positions + (row * self.width + column) for row, column in corners]
        likely = np.mean([self._weighted.chances(kind, some) for some in pixels], axis=0)
        return likely, self._weighted.cells(pixels[-1])

    def has_room(self, bank: ShapeBank, shape: int) -> bool:
        """Whether one shape has any position; the same as asking for all, mostly in less time."""
        spread = (np.arange(GLANCES) + 0.5) / GLANCES
        glanced, _, _ = self.guess(bank, np.full(GLANCES, shape), spread)
        return bool(glanced.any()) or len(self.positions(bank, shape)) > 0

    def corner(self, position: int) -> tuple[int, int]:
        """(top, left) in the picture of one of :meth:`positions`."""
        top, left = divmod(position, self.width)
        return top + self.top, left + self.left

    def holds(
        self, bank: ShapeBank, shapes: np.ndarray, top: np.ndarray, left: np.ndarray
    ) -> np.ndarray:
        """Whether each of ``shapes`` (S,), its corner at ``top`` and ``left`` (S,) in the picture,
        lies wholly in the area, bool (S,)."""
        top, left = top - self.top, left - self.left
        room = np.array([self.height, self.width]) - bank.size[shapes]
        held: np.ndarray = (top >= 0) & (left >= 0) & (top <= room[:, 0]) & (left <= room[:, 1])
        if not self.everywhere:
            held[held] = self._holds(bank, shapes[held], top[held], left[held])
        return held

    def _holds(
        self, bank: ShapeBank, shapes: np.ndarray, top: np.ndarray, left: np.ndarray
    ) -> np.ndarray:
        """Whether each shape, inside the box, lies on allowed pixels only."""
        start = top * self.width + left
        ends = bank.extremes[shapes]
        first = start[:, None] + ends[..., 0] * self.width + ends[..., 1]
        held = (self._reach[first] >= ends[..., 2]).all(axis=1)
        likely = np.flatnonzero(held)
        if len(likely):
            runs, count = bank.runs_of_many(shapes[likely])
            begins = np.repeat(start[likely], count)
            begins += runs[:, 0].astype(np.int64) * self.width + runs[:, 1]
            short = self._reach[begins] < runs[:, 2]
            owner = np.repeat(likely, count)
            held[owner[short]] = False
        return held
