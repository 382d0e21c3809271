"""Small pictures of pairs, and what their masks tell."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from PIL import Image

from adabldm.core import images
from cluster.storage.location import Location, TooLargeError
from jobs.report.pair import GOOD, RESULT, Pair

SIDE = 128
"""Of a tile, in pixels."""
CONTEXT, LEAST_SHARE = 2.5, 0.25
"""A tile shows a square around the defect: so many times its longer side, but no less than this
share of the picture's shorter side."""
CELLS = 48
"""Rows and columns of a map of places."""
BACKDROP = 320
"""Longer side of the picture beneath such a map."""
READERS = 8


@dataclass(frozen=True, kw_only=True)
class Spot:
    """What a mask tells: ``size`` (height, width) of its picture, ``extent`` the longer side of the
    box around the defect in pixels and ``centre`` the box's middle (x, y) in thousandths of the
    picture, ``share`` of the picture 0..1, and ``cells`` bool (CELLS, CELLS) in which some of it
    lies."""

    size: tuple[int, int]
    centre: tuple[int, int]
    extent: int
    share: float
    cells: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Tile:
    """``picture`` uint8 (SIDE, SIDE, 3) around the defect; ``outline`` bool (SIDE, SIDE) of the
    mask; ``spot`` is None without a mask that has a defect; ``backdrop`` JPEG of the good
    picture, where it was asked for and is there."""

    picture: np.ndarray
    outline: np.ndarray
    spot: Spot | None
    backdrop: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A picture that cannot be read, and why."""

    path: str
    why: str


Seen = Tile | Lost | None
"""None: nothing of the pair is kept."""


def tiles_of(
    output: Location,
    pairs: Sequence[Pair],
    backdrop_of: Callable[[Pair], bool],
    progress: Callable[[int], None],
) -> Iterator[Seen]:
    """The tile of each pair, in order; ``progress`` gets how many are done."""
    with ThreadPoolExecutor(READERS) as pool:
        waiting = iter(pairs)

        def submitted(count: int) -> list:
            return [
                pool.submit(_seen, output, pair, backdrop_of(pair))
                for pair in islice(waiting, count)
            ]

        queue = submitted(4 * READERS)  # the pictures of all would fill the memory
        done = 0
        while queue:
            seen = queue.pop(0).result()
            queue += submitted(1)
            done += 1
            progress(done)
            yield seen


def _seen(output: Location, pair: Pair, with_backdrop: bool) -> Seen:
    path = pair.pictures.get(RESULT)
    if path is None:
        return None
    try:
        picture = images.decode(output.join(path).read())
        mask = None
        if (path := pair.mask) is not None:
            mask = images.decode(output.join(path).read(), "L") > 0
        backdrop = None
        if with_backdrop and (path := pair.pictures.get(GOOD)) is not None:
            backdrop = _backdrop(images.decode(output.join(path).read()))
    except (OSError, TooLargeError, images.ImageFault) as error:
        return Lost(path=str(path), why=str(error))
    return tile_of(picture, mask, backdrop)


def tile_of(picture: np.ndarray, mask: np.ndarray | None, backdrop: bytes | None = None) -> Tile:
    """The tile of ``picture`` uint8 (H, W, 3) with ``mask`` bool (h, w), mostly of its size."""
    height, width = picture.shape[:2]
    if mask is None or not mask.any():
        box = _square((0, 0, height, width), (height, width))
        empty = np.zeros((SIDE, SIDE), bool)
        return Tile(picture=_cut(picture, box), outline=empty, spot=None, backdrop=backdrop)
    if mask.shape != (height, width):
        resized = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
        mask = np.asarray(resized)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    around = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    box = _square(around, (height, width))
    inside = _cut(mask.astype(np.uint8) * 255, box) > 127
    return Tile(
        picture=_cut(picture, box),
        outline=_outline(inside),
        spot=Spot(
            size=(height, width),
            centre=(
                500 * (around[1] + around[3]) // width,
                500 * (around[0] + around[2]) // height,
            ),
            extent=max(around[2] - around[0], around[3] - around[1]),
            share=float(mask.mean()),
            cells=_cells(mask),
        ),
        backdrop=backdrop,
    )


def _square(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int]:
    """(top, left, side) of the square around ``box`` (top, left, bottom, right), moved into the
    picture."""
    top, left, bottom, right = box
    side = max(CONTEXT * max(bottom - top, right - left), LEAST_SHARE * min(size))
    side = max(1, min(round(side), *size))
    places = []
    for low, high, most in ((top, bottom, size[0]), (left, right, size[1])):
        places.append(max(0, min(round((low + high - side) / 2), most - side)))
    return places[0], places[1], side


def _cut(pixels: np.ndarray, square: tuple[int, int, int]) -> np.ndarray:
    top, left, side = square
    return images.resize(
        np.ascontiguousarray(pixels[top : top + side, left : left + side]), SIDE, SIDE
    )


def _outline(inside: np.ndarray) -> np.ndarray:
    """The pixels around ``inside``, two wide."""
    grown = inside.copy()
    for _ in range(2):
        grown[1:] |= grown[:-1].copy()
        grown[:-1] |= grown[1:].copy()
        grown[:, 1:] |= grown[:, :-1].copy()
        grown[:, :-1] |= grown[:, 1:].copy()
    return grown & ~inside


def _cells(mask: np.ndarray) -> np.ndarray:
    """Which cells of a grid over the picture have some of the mask."""
    rows, columns = np.nonzero(mask)
    found = np.zeros((CELLS, CELLS), bool)
    found[rows * CELLS // mask.shape[0], columns * CELLS // mask.shape[1]] = True
    return found


def _backdrop(picture: np.ndarray) -> bytes:
    small = Image.fromarray(picture)
    small.thumbnail((BACKDROP, BACKDROP), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=70)
    return buffer.getvalue()
