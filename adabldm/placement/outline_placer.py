"""Defects near their object's outline: set down where the outline of another runs by them alike.

A chip on a rim, a bent tip, a crack that goes through to the edge, a worn thread: such masks lie
partly off the object, or lie along its outline. Turned and scaled like every mask, one is laid over
a good picture so that what was on its own object is on this one and what was beside it is beside
this one, in the mask and around it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import fft

from adabldm.core.byte_cache import ByteCache
from adabldm.core.random_streams import RowStreams
from adabldm.placement import transform
from adabldm.placement.allowed_area import AllowedArea
from adabldm.placement.batch_placer import Boxes, Places
from adabldm.placement.shape_bank import ShapeBank

SIDE = 96
"""Places are compared in pictures with no side longer than this, in pixels."""

SHAPES = 48
"""Turns and scales of a mask that are compared."""

AGREES = 0.8
"""Share of the pixels compared from which a place counts: those on the object that were on it, and
those beside it that were beside it."""

NEARLY = 0.03
"""Places are as good as the best of the picture if they agree by so much less."""

LOOKED_AT, MOST_PLACES = 4096, 256
"""Places of a mask on a picture of which it is seen whether they are wholly on the object, and
that are kept; both evenly chosen."""

GUESSES = 12
"""Places that are tried for one row that keeps off others."""

SPECTRA_BYTES, PLACES_BYTES, GROUNDS_BYTES = 192_000_000, 64_000_000, 64_000_000
OVERHEAD = 400
"""Bytes of an entry without places."""


@dataclass(frozen=True)
class Outlined:
    """A defect and its surroundings: ``sides`` int8 (h + 2 m, w + 2 m) of the mask's box (h, w)
    with a margin m, 1 on the object, -1 beside it, 0 where nothing is known; whether it
    ``leaves`` the object."""

    sides: np.ndarray
    leaves: bool


@dataclass(frozen=True)
class _Patterns:
    """A mask's turned shapes (S,) with their surroundings as spectra of a canvas that is ``padded``
    so that nothing goes around its end, over the number of pixels that are compared; ``size``
    (S, 2) are the shapes' in small pixels."""

    shapes: np.ndarray
    padded: tuple[int, int]
    spectra: np.ndarray
    size: np.ndarray

    @property
    def nbytes(self) -> int:
        return self.spectra.nbytes


@dataclass(frozen=True)
class _Ground:
    """A picture's ``object``, float (h, w) from -1 to 1 in small pixels, and the ``maps`` of how
    likely its places are, (K, h, w) or None."""

    object: np.ndarray
    maps: np.ndarray | None

    @property
    def nbytes(self) -> int:
        return self.object.nbytes + (0 if self.maps is None else self.maps.nbytes)


@dataclass(frozen=True)
class _Found:
    """Places (K,) of a mask on a picture: the shape's number, and its corner in the picture."""

    shape: np.ndarray
    top: np.ndarray
    left: np.ndarray

    @classmethod
    def nothing(cls) -> _Found:
        return cls(*(np.zeros(0, np.int32) for _ in range(3)))

    @property
    def nbytes(self) -> int:
        return OVERHEAD + self.shape.nbytes + self.top.nbytes + self.left.nbytes


class OutlinePlacer:
    """Places those masks of ``bank`` that are ``outlined``, by number; ``crop`` is as in
    :class:`~adabldm.placement.shape_bank.ShapeBank`."""

    def __init__(
        self,
        bank: ShapeBank,
        crop: Callable[[int], np.ndarray],
        outlined: Mapping[int, Outlined],
        streams: RowStreams,
    ) -> None:
        self._bank, self._crop, self._outlined, self._streams = bank, crop, outlined, streams
        self._is_outlined = np.zeros(bank.masks, bool)
        self._is_outlined[list(outlined)] = True
        self._patterns: ByteCache[tuple[int, int, int], _Patterns] = ByteCache(
            SPECTRA_BYTES, lambda known: known.nbytes
        )
        self._found: ByteCache[Hashable, _Found] = ByteCache(
            PLACES_BYTES, lambda known: known.nbytes
        )
        self._grounds: ByteCache[Hashable, _Ground] = ByteCache(
            GROUNDS_BYTES, lambda known: known.nbytes
        )

    def place(
        self,
        key: Hashable,
        area: AllowedArea,
        ground: Callable[[], tuple[np.ndarray, np.ndarray | None]],
        rows: np.ndarray,
        masks: np.ndarray,
        purpose: str,
        taken: Boxes | None = None,
        kinds: np.ndarray | None = None,
    ) -> Places:
        """A place for each outlined mask ``masks[i]`` of ``rows[i]`` on the picture known as
        ``key``; none for the others, nor where no place of the picture is alike.

        ``area`` is the picture's object; ``ground`` gives it as bool (H, W), and maps (K, h, w) of
        how likely its places are for each of K kinds, or None; ``kinds`` (N,) and ``taken`` are as
        in :meth:`~adabldm.placement.batch_placer.Placer.place`.
        """
        places = Places.none(len(rows))
        outlined = np.flatnonzero(self._is_outlined[masks])
        for mask in np.unique(masks[outlined]).tolist():
            left_over = outlined[masks[outlined] == mask]
            kind = 0 if kinds is None else int(kinds[left_over[0]])
            known = self._found.get((key, mask))
            if known is None:
                seen = self._grounds.get(key)
                if seen is None:
                    seen = self._grounds[key] = _ground(*ground())
                known = self._found[key, mask] = self._look(area, seen, mask, kind)
            tries = 0 if not len(known.shape) else 1 if taken is None else GUESSES
            for number in range(tries):
                chance = self._streams.uniform(f"{purpose}/outline/{number}", rows[left_over])
                which = (chance * len(known.shape)).astype(np.int64)
                shape, top, left = known.shape[which], known.top[which], known.left[which]
                free = np.ones(len(which), bool)
                if taken is not None:
                    free = ~taken.of(left_over).meet(top, left, self._bank.size[shape])
                done = left_over[free]
                places.found[done], places.shape[done] = True, shape[free]
                places.top[done], places.left[done] = top[free], left[free]
                left_over = left_over[~free]
        return places

    def _look(self, area: AllowedArea, ground: _Ground, mask: int, kind: int) -> _Found:
        height, width = area.height_of_picture, area.width_of_picture
        factor = _factor(height, width)
        patterns = self._patterns_of(mask, height, width, factor)
        if not len(patterns.shapes):
            return _Found.nothing()
        which, row, column = _alike(ground.object, patterns)
        some = _evenly(len(which), LOOKED_AT)
        which, row, column = which[some], row[some], column[some]
        shape = patterns.shapes[which]
        room = np.array([height, width]) - self._bank.size[shape]
        corner = np.rint(np.stack([row, column], axis=1) / factor).astype(np.int64)
        corner = np.minimum(corner, room)
        fits = (room >= 0).all(axis=1)
        if not self._outlined[mask].leaves:
            fits[fits] = area.holds(self._bank, shape[fits], corner[fits, 0], corner[fits, 1])
        chances = np.ones(len(which))
        if ground.maps is not None:
            middle = (corner + self._bank.anchor[shape]) / np.array([height, width])
            chances = _likely(ground.maps[kind], middle)
        shape, corner, chances = shape[fits], corner[fits], chances[fits]
        if not len(shape):
            return _Found.nothing()
        total = np.cumsum(chances)
        count = min(MOST_PLACES, len(shape))
        kept = np.searchsorted(total, (np.arange(count) + 0.5) / count * total[-1])
        corner = corner[kept].astype(np.int32)
        return _Found(shape[kept], corner[:, 0], corner[:, 1])

    def _patterns_of(self, mask: int, height: int, width: int, factor: float) -> _Patterns:
        known = self._patterns.get((mask, height, width))
        if known is None:
            chance = (np.arange(SHAPES) + 0.5) / SHAPES
            shapes = self._bank.drawn(np.full(SHAPES, mask), height, width, chance)
            shapes = shapes[(self._bank.size[shapes] <= (height, width)).all(axis=1)]
            parts = [self._pattern(mask, int(shape), factor) for shape in shapes]
            largest = np.max([(0, 0), *(sides.shape for sides, _ in parts)], axis=0)
            whole = np.array(_small_size((height, width), factor)) + largest
            padded = fft.next_fast_len(int(whole[0]), True), fft.next_fast_len(int(whole[1]), True)
            signed = np.zeros((len(parts), *padded), np.float32)
            for one, (sides, origin) in zip(signed, parts, strict=True):
                one[: sides.shape[0], : sides.shape[1]] = sides / max(1, np.abs(sides).sum())
                one[:] = np.roll(one, origin, axis=(0, 1))
            known = self._patterns[mask, height, width] = _Patterns(
                shapes,
                padded,
                fft.rfft2(signed).conj(),
                np.maximum(1, np.rint(self._bank.size[shapes] * factor)).astype(np.int64),
            )
        return known

    def _pattern(self, mask: int, shape: int, factor: float) -> tuple[np.ndarray, tuple[int, int]]:
        """The sides around a turned shape, in small pixels, and where they begin from its corner,
        rows and columns."""
        angle, scale = float(self._bank.angle[shape]), float(self._bank.scale[shape])
        sides = self._outlined[mask].sides
        on, off = (
            transform.turn((sides == side).astype(np.uint8) * 255, angle, scale * factor) / 255
            for side in (1, -1)
        )
        turned = transform.turn((self._crop(mask) > 0).astype(np.uint8) * 255, angle, scale)
        box = transform.bounding_box(transform.solid(turned))
        # Both are turned around their middle, which is the same.
        down, across = (
            round((whole / 2 - side.start) * factor - small / 2)
            for small, whole, side in zip(on.shape, turned.shape, box, strict=True)
        )
        return on - off, (down, across)


def _factor(height: int, width: int) -> float:
    return min(1.0, SIDE / max(height, width))


def _ground(inside: np.ndarray, maps: np.ndarray | None) -> _Ground:
    height, width = _small_size(inside.shape, _factor(*inside.shape))
    pixels = Image.fromarray(inside.astype(np.uint8) * 255)
    share = np.asarray(pixels.resize((width, height), Image.Resampling.BOX), np.float32)
    return _Ground(share / 127.5 - 1, maps)


def _alike(ground: np.ndarray, patterns: _Patterns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places at which a pattern agrees with the ``ground`` (h, w) nearly as well as anywhere: its
    number, and the shape's row and column in small pixels, (N,) each."""
    spectrum = fft.rfft2(ground, s=patterns.padded)
    agreement = fft.irfft2(spectrum * patterns.spectra, s=patterns.padded)
    for one, (tall, wide) in zip(agreement, patterns.size.tolist(), strict=True):
        one[max(0, ground.shape[0] - tall + 1) :] = -1
        one[:, max(0, ground.shape[1] - wide + 1) :] = -1
    least = max(2 * AGREES - 1, float(agreement.max()) - 2 * NEARLY)
    which, row, column = np.nonzero(agreement >= least)
    return which, row, column


def _evenly(count: int, most: int) -> np.ndarray:
    """At most ``most`` of the numbers below ``count``, evenly spread."""
    return np.arange(0, count, max(1.0, count / most)).astype(np.int64)


def _small_size(size: tuple[int, ...], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _likely(chances: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What a map (h, w) says of ``points`` (N, 2) in shares of the picture: (N,), a cell as likely
    as it says however many of the points are in it."""
    row, column = np.clip(points.T * [[chances.shape[0]], [chances.shape[1]]], 0, None).astype(int)
    row = np.minimum(row, chances.shape[0] - 1)
    column = np.minimum(column, chances.shape[1] - 1)
    cell = row * chances.shape[1] + column
    found: np.ndarray = chances.ravel()[cell] / np.bincount(cell)[cell]
    return found
