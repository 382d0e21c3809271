"""Turned and scaled shapes of defect masks, each drawn once and used many times.

The variants of a mask are the points of a lattice: number ``j`` (any integer) has scale
``exp(j * step)`` and an angle that goes round by the golden ratio, so that the variants between
any two scales have evenly spread angles. Every shape comes from :func:`transform.turned_shape`,
the same that renders a recipe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from adabldm.core.random_streams import RowStreams
from adabldm.placement import transform

GOLDEN = (math.sqrt(5) - 1) / 2
UPRIGHT_EVERY = 32
"""One variant in so many is not turned: a mask as large as the picture fits only like this."""
LEAST_VARIANTS, MOST_VARIANTS = 64, 256
"""Variants between the smallest and the largest scale, per mask and picture size; fewer where
pictures are of many sizes, for each size has other scales."""
RUNS_KEPT = 32_000_000
"""Pixel runs of all variants together, about (6 bytes each)."""
EXTREMES = 4
"""Runs that are tested first: the highest, the lowest, the leftmost, the rightmost."""
LARGEST_RATIO = 64.0
"""A mask's picture is at most this many times larger or smaller than a good one."""
ALONG = 10.0
"""Degrees by which a shape may be turned otherwise than is wanted."""
LONGEST = 32_767
"""Longest side of a shape, in pixels; a longer one counts as one that fits nowhere."""
NO_SIZE = 2**30


class _GrowingArray:
    """An array that is appended to; ``rows`` is what it holds."""

    def __init__(self, dtype: type, *trailing: int) -> None:
        self._kept: np.ndarray = np.zeros((1024, *trailing), dtype)
        self._count = 0

    @property
    def rows(self) -> np.ndarray:
        return self._kept[: self._count]

    def append(self, new: np.ndarray) -> None:
        needed = self._count + len(new)
        if needed > len(self._kept):
            larger = np.zeros(
                (max(needed, 2 * len(self._kept)), *self._kept.shape[1:]), self._kept.dtype
            )
            larger[: self._count] = self.rows
            self._kept = larger
        self._kept[self._count : needed] = new
        self._count = needed


def runs_of(shape: np.ndarray) -> np.ndarray:
    """The horizontal runs of bool (h, w): int32 (R, 3) of row, first column, length."""
    steps = np.diff(np.pad(shape, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, first = np.nonzero(steps == 1)
    _, end = np.nonzero(steps == -1)
    return np.stack([rows, first, end - first], axis=1).astype(np.int32)


def _extremes(runs: np.ndarray) -> list[int]:
    ends = runs[:, 1] + runs[:, 2]
    return [0, len(runs) - 1, int(np.argmin(runs[:, 1])), int(np.argmax(ends))]


def _in_testing_order(runs: np.ndarray) -> np.ndarray:
    """The extreme runs first, then the others from all over the shape: a shape that lies partly
    outside is mostly found out by the first few."""
    rank = np.modf(np.arange(len(runs)) * GOLDEN)[0]
    rank[_extremes(runs)] = -1.0
    return runs[np.argsort(rank, kind="stable")]


def _middle(shape: np.ndarray) -> tuple[int, int]:
    """The shape's own pixel that is nearest to its centre of mass."""
    rows, cols = np.nonzero(shape)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (cols - cols.mean()) ** 2)
    return int(rows[nearest]), int(cols[nearest])


class ShapeBank:
    """Variants of the masks of one product.

    ``crop(m)`` gives mask ``m`` cut to its defect, (h, w), non-zero inside; ``sizes`` (M, 2) are
    the heights and widths of the masks' whole pictures; ``runs`` is about how many pixel runs a
    mask has, which decides how many variants there are. ``outlined`` is False where every shape
    inside the picture fits: then only sizes are kept.
    """

    def __init__(
        self,
        crop: Callable[[int], np.ndarray],
        sizes: Sequence[tuple[int, int]],
        runs: float,
        streams: RowStreams,
        name: str,
        *,
        outlined: bool = True,
    ) -> None:
        fitting = int(RUNS_KEPT / max(1.0, runs * len(sizes)))
        most = min(MOST_VARIANTS // len(set(sizes)), fitting)
        variants = max(LEAST_VARIANTS, most)
        self._crop, self._outlined = crop, outlined
        self._sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
        self._step = math.log(transform.SCALES[1] / transform.SCALES[0]) / variants
        self._first = math.floor(-math.log(LARGEST_RATIO * 2) / self._step)
        self._turns = streams.generator(f"turns/{name}").random(len(sizes))
        self._turned_alike: dict[tuple[int, int, int, int], np.ndarray] = {}
        self._ids = np.full((len(sizes), 1 - 2 * self._first), -1, np.int32)
        self._angle, self._scale = _GrowingArray(np.float64), _GrowingArray(np.float64)
        self._mask = _GrowingArray(np.int32)
        self._size, self._anchor = _GrowingArray(np.int32, 2), _GrowingArray(np.int32, 2)
        self._extremes = _GrowingArray(np.int32, EXTREMES, 3)
        self._where = _GrowingArray(np.int64, 2)
        self._runs = _GrowingArray(np.int16, 3)

    @property
    def masks(self) -> int:
        """How many masks there are."""
        return len(self._sizes)

    def __len__(self) -> int:
        """How many shapes have been drawn."""
        return len(self._mask.rows)

    @property
    def mask(self) -> np.ndarray:
        """The mask of each shape drawn so far, int32 (S,); likewise the other properties."""
        return self._mask.rows

    @property
    def angle(self) -> np.ndarray:
        return self._angle.rows

    @property
    def scale(self) -> np.ndarray:
        return self._scale.rows

    @property
    def size(self) -> np.ndarray:
        """Height and width, int32 (S, 2)."""
        return self._size.rows

    @property
    def anchor(self) -> np.ndarray:
        """Row and column of a pixel in the shape's middle that belongs to it, int32 (S, 2)."""
        return self._anchor.rows

    @property
    def extremes(self) -> np.ndarray:
        """Four runs at the shape's ends, int32 (S, 4, 3) of row, first column, length."""
        return self._extremes.rows

    def runs(self, shape: int) -> np.ndarray:
        """All runs of one shape, the extreme ones first: int16 (R, 3)."""
        start, count = self._where.rows[shape]
        return self._runs.rows[start : start + count]

    def runs_of_many(self, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The runs of ``shapes`` one after the other, int16 (R, 3), and how many each has."""
        start, count = self._where.rows[shapes].T
        before = np.cumsum(count) - count
        return self._runs.rows[np.repeat(start - before, count) + np.arange(count.sum())], count

    def pixels(self, shapes: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """A pixel of each of ``shapes`` (N,), row and column, int64 (N, 2); ``chance`` (N,) in
        [0, 1) chooses a run and a pixel of it."""
        start, count = self._where.rows[shapes].T
        number = chance * count
        run = self._runs.rows[start + number.astype(np.int64)].astype(np.int64)
        along = (number - np.floor(number)) * run[:, 2]
        return np.stack([run[:, 0], run[:, 1] + along.astype(np.int64)], axis=1)

    def drawn(
        self,
        masks: np.ndarray,
        height: int,
        width: int,
        chance: np.ndarray,
        turns: np.ndarray | None = None,
    ) -> np.ndarray:
        """A shape of each of ``masks`` for a picture of (height, width), int32 (N,).

        ``chance`` in [0, 1) chooses the scale between 0.85 and 1.15 of the mask brought to the
        picture's size, and with it the angle: any, or one within :data:`ALONG` of ``turns`` (N,),
        degrees of 180, where that is a number.
        """
        least, most = self._variants_allowed(masks, height, width)
        base = self._base(masks, height, width)
        wanted = base * (transform.SCALES[0] + (transform.SCALES[1] - transform.SCALES[0]) * chance)
        number = np.clip(np.floor(np.log(wanted) / self._step).astype(np.int64), least, most)
        if turns is not None:
            known = np.flatnonzero(~np.isnan(turns))
            alike = masks[known].astype(np.int64) * 180 + np.rint(turns[known]).astype(int) % 180
            order = np.argsort(alike, kind="stable")
            ends = np.flatnonzero(np.diff(alike[order])) + 1
            for mine in np.split(known[order], ends) if len(known) else ():
                first = mine[0]
                some = self._turned_to(
                    int(masks[first]), round(turns[first]), int(least[first]), int(most[first])
                )
                number[mine] = some[(chance[mine] * len(some)).astype(np.int64)]
        return self._lookup(masks, number)

    def _turned_to(self, mask: int, turn: int, least: int, most: int) -> np.ndarray:
        """Numbers of the variants that are turned by about ``turn``; the nearest if none is."""
        key = mask, turn, least, most
        known = self._turned_alike.get(key)
        if known is None:
            numbers = np.arange(least, most + 1)
            turns = np.modf(self._turns[mask] + (numbers - self._first) * GOLDEN)[0]
            angles = np.where(numbers % UPRIGHT_EVERY == 0, 0, 360 * turns)
            away = np.abs((angles - turn + 90) % 180 - 90)
            known = numbers[away <= max(ALONG, float(away.min()))]
            self._turned_alike[key] = known
        return known

    def smallest(self, mask: int, height: int, width: int, count: int) -> Iterator[int]:
        """The ``count`` smallest shapes of one mask for a picture, angles evenly spread, and the
        smallest upright one, each drawn when it is asked for."""
        one = np.array([mask])
        least, most = (int(limits[0]) for limits in self._variants_allowed(one, height, width))
        upright = -(-least // UPRIGHT_EVERY) * UPRIGHT_EVERY
        for number in sorted({*range(least, min(least + count, most + 1)), upright}):
            yield int(self._lookup(one, np.array([number]))[0])

    def _base(self, masks: np.ndarray, height: int, width: int) -> np.ndarray:
        ratio = np.minimum(height / self._sizes[masks, 0], width / self._sizes[masks, 1])
        return np.clip(ratio, 1 / LARGEST_RATIO, LARGEST_RATIO)

    def _variants_allowed(
        self, masks: np.ndarray, height: int, width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the smallest and the largest variant allowed."""
        base = self._base(masks, height, width)
        least = np.ceil(np.log(base * transform.SCALES[0]) / self._step - 1e-9)
        most = np.floor(np.log(base * transform.SCALES[1]) / self._step + 1e-9)
        return least.astype(np.int64), most.astype(np.int64)

    def _lookup(self, masks: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        found = self._ids[masks, numbers - self._first]
        missing = found < 0
        if missing.any():
            pairs = np.stack([masks[missing], numbers[missing]], axis=1)
            for mask, number in np.unique(pairs, axis=0).tolist():
                self._ids[mask, number - self._first] = len(self)
                self._render(mask, number)
            found = self._ids[masks, numbers - self._first]
        return found

    def _render(self, mask: int, number: int) -> None:
        turn = math.modf(self._turns[mask] + (number - self._first) * GOLDEN)[0]
        angle = 0.0 if number % UPRIGHT_EVERY == 0 else round(360 * turn, 3)
        scale = round(math.exp(number * self._step), 6)
        shape, size = self._turned(mask, angle, scale)
        runs = runs_of(shape if self._outlined else shape[:1, :1] | True)
        self._mask.append(np.array([mask]))
        self._angle.append(np.array([angle]))
        self._scale.append(np.array([scale]))
        self._size.append(np.array([size]))
        self._anchor.append(np.array([_middle(shape) if self._outlined else (0, 0)]))
        self._extremes.append(runs[_extremes(runs)][None])
        self._where.append(np.array([(len(self._runs.rows), len(runs))]))
        self._runs.append(_in_testing_order(runs))

    def _turned(self, mask: int, angle: float, scale: float) -> tuple[np.ndarray, tuple[int, int]]:
        try:
            shape = transform.turned_shape(self._crop(mask), angle, scale)
        except transform.PlacementFault:  # nothing is left of it at this scale
            return np.ones((1, 1), bool), (NO_SIZE, NO_SIZE)
        if max(shape.shape) > LONGEST:
            return np.ones((1, 1), bool), (NO_SIZE, NO_SIZE)
        return shape, (shape.shape[0], shape.shape[1])
