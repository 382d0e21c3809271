"""Windows: the squares of a picture in which a model of a fixed size draws its defects.

A model works at S x S pixels, a camera gives thousands. A defect is drawn in a square around it at
the picture's own scale, and only its own pixels go back into the picture: nothing else is touched,
and a scratch keeps its width. Windows are a function of the trimap alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import find_objects, label

from adabldm.core import images, random_streams, trimap
from adabldm.placement.membrane import RING, around, membrane

CONTEXT = 2.0
"""A window's side, over the longer side of its defect's box."""

LEAST_CONTEXT = 1.25
"""The same for a defect that leaves its picture no room for more."""

MARGIN = 1 / 8
"""Further defects are drawn in a window if they keep off its border by this share of its side."""

EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Window:
    """A square of ``side`` pixels of a picture, from row ``top`` and column ``left`` on; it may
    reach beyond the picture. The model sees it at ``size`` x ``size`` pixels. ``parts`` are the
    numbers of its defects in :func:`defects_of`."""

    top: int
    left: int
    side: int
    size: int
    parts: tuple[int, ...]

    @property
    def is_shrunk(self) -> bool:
        """Whether a pixel of the model is more than one of the picture."""
        return self.side > self.size

    def inside(self, height: int, width: int) -> tuple[slice, slice]:
        """What of a picture the window shows."""
        return (
            slice(max(0, self.top), min(height, self.top + self.side)),
            slice(max(0, self.left), min(width, self.left + self.side)),
        )

    def within(self, height: int, width: int) -> tuple[slice, slice]:
        """Where in the window that is."""
        rows, cols = self.inside(height, width)
        return (
            slice(rows.start - self.top, rows.stop - self.top),
            slice(cols.start - self.left, cols.stop - self.left),
        )


def defects_of(marks: np.ndarray) -> np.ndarray:
    """The connected defects of a trimap (H, W) by number from 1 on (8 neighbours), int32 (H, W)."""
    numbered = np.zeros(marks.shape, np.int32)
    defect = marks == trimap.DEFECT
    rows, cols = np.flatnonzero(defect.any(axis=1)), np.flatnonzero(defect.any(axis=0))
    if len(rows):
        box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
        label(defect[box], EIGHT_NEIGHBOURS, output=numbered[box])
    return numbered


def windows_of(
    defects: np.ndarray,
    size: int,
    *,
    context: float = CONTEXT,
    thin: Collection[int] = (),
) -> list[Window]:
    """The windows in which ``defects``, of :func:`defects_of`, are drawn by a model of ``size``.

    The longest defect comes first; each window takes with it what else lies well inside. A window
    has at least ``size`` pixels a side and ``context`` times its defect's longer side, but no more
    than the picture's shorter side if the defect leaves room; a longer one is shrunk to ``size``.
    Around those that are ``thin`` there is less, so that they are not.
    """
    height, width = defects.shape
    boxes = {number: box for number, box in enumerate(find_objects(defects), 1) if box is not None}
    order = sorted(boxes, key=lambda number: (-_length(boxes[number]), number))
    found: list[Window] = []
    while order:
        box = boxes[order[0]]
        around = LEAST_CONTEXT if order[0] in thin else context
        side = window_side(_length(box), size, around, min(height, width))
        top, left = (
            _start(one, side, length) for one, length in zip(box, (height, width), strict=True)
        )
        well_inside = [
            _clear(start, side, length)
            for start, length in zip((top, left), (height, width), strict=True)
        ]
        taken = [
            number for number in order if number == order[0] or _lies_in(boxes[number], well_inside)
        ]
        found.append(Window(top, left, side, size, tuple(sorted(taken))))
        order = [number for number in order if number not in set(taken)]
    return found


def _length(box: tuple[slice, ...]) -> int:
    return max(one.stop - one.start for one in box)


def window_side(length: int, size: int, context: float, shorter: int) -> int:
    """The side of a window around a defect that is ``length`` pixels long, in a picture whose
    ``shorter`` side is so long."""
    wanted = max(size, math.ceil(context * length))
    return min(wanted, max(size, shorter, math.ceil(LEAST_CONTEXT * length)))


def _start(box: slice, side: int, length: int) -> int:
    """Where a window begins along one axis: its defect in the middle, moved into the picture; a
    picture that is smaller lies in its middle."""
    if side >= length:
        return -((side - length) // 2)
    middle = (box.start + box.stop - side) // 2
    return int(min(max(0, middle), length - side))


def _clear(start: int, side: int, length: int) -> slice:
    """What of a window along one axis keeps off those of its borders that the picture goes on
    beyond."""
    room = round(MARGIN * side)
    first, last = start, start + side
    return slice(
        first + room if first > 0 else first,
        last - room if last < length else last,
    )


def _lies_in(box: tuple[slice, ...], within: Sequence[slice]) -> bool:
    return all(
        room.start <= one.start and one.stop <= room.stop
        for one, room in zip(box, within, strict=True)
    )


def _padded(pixels: np.ndarray, window: Window) -> np.ndarray:
    """The window's pixels (side, side[, C]); beyond the picture they are mirrored."""
    height, width = pixels.shape[:2]
    rows, cols = window.inside(height, width)
    inner = pixels[rows, cols]
    if inner.shape[:2] == (window.side, window.side):
        return np.ascontiguousarray(inner)
    there = window.within(height, width)
    missing = [(one.start, window.side - one.stop) for one in there]
    return np.pad(inner, [*missing, *[(0, 0)] * (pixels.ndim - 2)], mode="symmetric")


def cut_picture(picture: np.ndarray, window: Window) -> np.ndarray:
    """The window of uint8 (H, W, 3) as the model sees it, uint8 (S, S, 3)."""
    return images.resize(_padded(picture, window), window.size, window.size)


def cut_trimap(marks: np.ndarray, defects: np.ndarray, window: Window) -> np.ndarray:
    """The window of a trimap (H, W) as the model sees it, uint8 (S, S), with the window's own
    ``defects`` only: those of other windows are object here. No defect is too thin to be kept."""
    rows, cols = window.inside(*marks.shape)
    own = np.isin(defects[rows, cols], window.parts)
    ground = marks[rows, cols] == trimap.BACKGROUND
    inner = np.where(ground, trimap.BACKGROUND, trimap.OBJECT).astype(np.uint8)
    whole = _padded_like(inner, marks.shape, window)
    whole[window.within(*marks.shape)][own] = trimap.DEFECT
    return trimap.resize(whole, window.size, window.size)


def _padded_like(inner: np.ndarray, shape: tuple[int, ...], window: Window) -> np.ndarray:
    there = window.within(shape[0], shape[1])
    missing = [(one.start, window.side - one.stop) for one in there]
    return np.pad(inner, missing, mode="symmetric")


def put_back(
    picture: np.ndarray,
    source: np.ndarray,
    drawn: np.ndarray,
    defects: np.ndarray,
    window: Window,
    grain: np.ndarray | None = None,
) -> None:
    """Put the window's defects, as ``drawn`` uint8 (S, S, 3), into ``picture`` uint8 (H, W, 3), a
    copy of ``source`` that may hold other windows' defects already.

    Outside the window's own ``defects`` no pixel changes. Inside, a window at the picture's scale
    gives its pixels; of a shrunk one, the difference that it made to what the model sees of
    ``grain`` (H, W, 3), the source by default, is added to that picture, whose grain stays. Where
    the drawing's surroundings differ from the picture's, the difference is carried smoothly over
    the seam.
    """
    height, width = picture.shape[:2]
    rows, cols = window.inside(height, width)
    near = _near(defects[rows, cols], window)
    if near is None:
        return
    ground = source[rows, cols][near].astype(np.float32)
    own = np.isin(defects[rows, cols][near], window.parts)
    scaled = _at_scale(source if grain is None else grain, drawn, window)
    patch = scaled[window.within(height, width)][near]
    beside = around(own) & (defects[rows, cols][near] == 0)
    if beside.any():
        patch = patch + membrane(ground - patch, beside)
    picture[rows, cols][near][own] = np.clip(np.rint(patch[own]), 0, 255).astype(np.uint8)


def _at_scale(grain: np.ndarray, drawn: np.ndarray, window: Window) -> np.ndarray:
    """What was drawn at the picture's scale, float (side, side, 3)."""
    if not window.is_shrunk:
        return drawn.astype(np.float32)
    whole = _padded(grain, window)
    seen = images.resize(whole, window.size, window.size)
    change = drawn.astype(np.float32) - seen.astype(np.float32)
    return whole.astype(np.float32) + _enlarged(change, window.side)


def _enlarged(change: np.ndarray, side: int) -> np.ndarray:
    """float (S, S, 3) to (side, side, 3), bilinear."""
    planes = [
        np.asarray(Image.fromarray(change[..., c]).resize((side, side), Image.Resampling.BILINEAR))
        for c in range(change.shape[2])
    ]
    return np.stack(planes, axis=2)


def _near(defects: np.ndarray, window: Window) -> tuple[slice, slice] | None:
    """The box of the window's own defects with their surroundings."""
    rows, cols = np.nonzero(np.isin(defects, window.parts))
    if not len(rows):
        return None
    reach = RING + 1
    return (
        slice(max(0, int(rows.min()) - reach), int(rows.max()) + 1 + reach),
        slice(max(0, int(cols.min()) - reach), int(cols.max()) + 1 + reach),
    )


def derived_seeds(seed: int, count: int) -> Iterator[int]:
    """A seed for each of a request's windows; the first is the request's own."""
    yield seed
    for number in range(1, count):
        yield int(random_streams.stream(seed, "window", number).integers(2**63))
