"""The windows of an arm's pictures that a detector is trained on, the same way for every arm."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from threading import Lock

import numpy as np
from scipy.ndimage import label

from adabldm.core import random_streams
from adabldm.core.byte_cache import ByteCache
from adabldm.evaluation.arms import Content
from adabldm.evaluation.pictures import TrainingPicture
from adabldm.placement.windows import Window, cut_picture

AROUND_DEFECTS = 0.5
"""Share of windows that show a defect; the others are anywhere."""
ANYWHERE_GOOD = 0.75
"""Of windows that are anywhere, the share that is of good pictures."""
MARGIN = 1 / 8
"""A defect's pixel keeps off the window's border by this share of its side."""
GAIN = 0.15
"""Brightness changes by up to this share."""
CACHE_BYTES = 512_000_000
"""Of pictures that a process keeps in memory, those used last."""
POINTS = 256
"""Pixels of a defect that a window may be laid around."""
EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class _Loaded:
    """``image`` uint8 (H, W, 3), ``mask`` bool (H, W), and pixels (row, column) of each connected
    defect."""

    image: np.ndarray
    mask: np.ndarray
    defects: tuple[np.ndarray, ...]

    @property
    def nbytes(self) -> int:
        return self.image.nbytes + self.mask.nbytes + sum(one.nbytes for one in self.defects)


class TrainingWindows:
    """Windows of ``size`` pixels of an arm's ``content``, at the pictures' own scale.

    Half of them lie around a defect: groups, the types in a group and a type's pictures are drawn
    with equal chances, and so are a picture's connected defects. The others lie anywhere in a good
    picture or, a quarter of them, in a defective one. All are mirrored and made brighter or darker
    at random. Window ``index`` is a function of (content, seed, index).
    """

    def __init__(self, content: Content, *, size: int, seed: int) -> None:
        self.size = size
        self._seed = seed
        self._good = content.good
        self._groups = [_by_type(group) for group in content.groups]
        self._read: ByteCache[str, _Loaded] = ByteCache(CACHE_BYTES, lambda one: one.nbytes)
        self._lock = Lock()

    def mixed(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """As :class:`~adabldm.evaluation.detectors.protocol.Windows`."""
        rng = random_streams.stream(self._seed, "detector window", index)
        flawed, around = self._kind(rng)
        loaded = self._loaded(self._drawn(rng, flawed))
        if around and loaded.defects:
            points = loaded.defects[int(rng.integers(len(loaded.defects)))]
            at = points[int(rng.integers(len(points)))]
            window = self._around(rng, at, loaded.mask.shape)
        else:
            window = self._anywhere(rng, loaded.mask.shape)
        image = cut_picture(loaded.image, window)
        mask = cut_picture(loaded.mask.astype(np.uint8), window) > 0
        return _varied(rng, image, mask)

    def good(self, index: int) -> np.ndarray:
        """As :class:`~adabldm.evaluation.detectors.protocol.Windows`."""
        rng = random_streams.stream(self._seed, "good window", index)
        image = self._loaded(self._drawn(rng, flawed=False)).image
        window = self._anywhere(rng, image.shape[:2])
        return _varied(rng, cut_picture(image, window), np.zeros((self.size, self.size), bool))[0]

    def _kind(self, rng: np.random.Generator) -> tuple[bool, bool]:
        """Whether a window is of a defective picture, and around its defect."""
        around = rng.random() < AROUND_DEFECTS and bool(self._groups)
        flawed = around or (bool(self._groups) and rng.random() >= ANYWHERE_GOOD)
        return flawed, around

    def _drawn(self, rng: np.random.Generator, flawed: bool) -> TrainingPicture:
        if not flawed:
            return self._good[int(rng.integers(len(self._good)))]
        types = self._groups[int(rng.integers(len(self._groups)))]
        pictures = types[int(rng.integers(len(types)))]
        return pictures[int(rng.integers(len(pictures)))]

    def _loaded(self, picture: TrainingPicture) -> _Loaded:
        with self._lock:
            found = self._read.get(picture.key)
        if found is None:
            image, mask = picture.read()
            found = _Loaded(image, mask, _defects(mask))
            with self._lock:
                self._read[picture.key] = found
        return found

    def _around(self, rng: np.random.Generator, at: np.ndarray, shape: tuple[int, ...]) -> Window:
        room = int(MARGIN * self.size)
        starts = [
            _within(int(place) - int(rng.integers(room, self.size - room)), self.size, length)
            for place, length in zip(at, shape, strict=True)
        ]
        return Window(starts[0], starts[1], self.size, self.size, ())

    def _anywhere(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Window:
        starts = [
            _within(int(rng.integers(max(1, length - self.size + 1))), self.size, length)
            for length in shape
        ]
        return Window(starts[0], starts[1], self.size, self.size, ())


def _within(start: int, side: int, length: int) -> int:
    """A window's start moved into the picture; a smaller picture lies in its middle."""
    if length < side:
        return -((side - length) // 2)
    return min(max(0, start), length - side)


def _by_type(pictures: tuple[TrainingPicture, ...]) -> list[list[TrainingPicture]]:
    found: dict[str, list[TrainingPicture]] = defaultdict(list)
    for one in pictures:
        found[one.defect or ""].append(one)
    return [found[name] for name in sorted(found)]


def _defects(mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pixels of each connected defect, (N, 2), at most :data:`POINTS` of each, evenly."""
    numbers, count = label(mask, EIGHT_NEIGHBOURS)
    places = np.argwhere(numbers)
    owner = numbers[tuple(places.T)]
    order = np.argsort(owner, kind="stable")
    parts = np.split(places[order], np.searchsorted(owner[order], np.arange(2, count + 1)))
    return tuple(part[:: max(1, len(part) // POINTS)] for part in parts if len(part))


def _varied(
    rng: np.random.Generator, image: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    for axis in (0, 1):
        if rng.random() < 0.5:
            image, mask = np.flip(image, axis), np.flip(mask, axis)
    brighter = np.clip(image * rng.uniform(1 - GAIN, 1 + GAIN), 0, 255).astype(np.uint8)
    return brighter, np.ascontiguousarray(mask)
