"""Where the object is in the good pictures of one object of a data set: one way for all verbs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from adabldm.core.objects import ObjectFolder, Surface
from adabldm.core.picture_uri import DatasetFault, read_mask, read_picture

if TYPE_CHECKING:
    from adabldm.foreground.features import Features
    from adabldm.foreground.predictor import ForegroundPredictor

READERS = 8
"""Pictures that are read at the same time."""

AHEAD = 4
"""Pictures a core that are in work or wait to be taken."""

NAMED = 3
"""Pictures that a fault names."""

WAYS_OUT = (
    "say `--surface texture` if the object fills its pictures (a regions file can confine defects "
    "to a part of them), or give object masks of your own with `--object-masks`"
)

T = TypeVar("T")
R = TypeVar("R")


class ObjectMasks:
    """Object masks of ``folder``: those that were given or prepared, else what its good pictures
    teach.

    Learned when first needed, with ``features`` if given, else with the folder's own backbone.
    ``without_object`` are the good pictures looked at so far in which no object is found: nothing
    can be placed there, so they are left out. Raises
    :class:`~adabldm.core.picture_uri.DatasetFault` for a picture that cannot be read, a mask that
    does not fit its picture, and pictures in which it is doubtful what the object is.
    """

    def __init__(self, folder: ObjectFolder, features: Features | None = None) -> None:
        self._folder = folder
        self._features = features
        self.without_object: list[str] = []

    @cached_property
    def predictor(self) -> ForegroundPredictor:
        # Here, because it needs torch; textures and prepared data sets do not.
        from adabldm.foreground.features import open_features
        from adabldm.foreground.predictor import DoubtfulForeground, evenly, fit_foreground

        uris = evenly(self._folder.good)
        with ThreadPoolExecutor(READERS) as pool:
            pictures = list(pool.map(read_picture, uris))
        features = self._features or open_features(self._folder.backbone)
        try:
            with _one_thread_each():
                found = fit_foreground(pictures, features)
        except DoubtfulForeground as fault:
            raise self._fault(str(fault)) from fault
        if found.surface == "texture" and self._folder.surface == "object":
            raise self._fault("is said to be an object, but none is seen before a background")
        return found

    def _fault(self, what: str) -> DatasetFault:
        names = ", ".join(self._folder.good[:NAMED])
        if (more := len(self._folder.good) - NAMED) > 0:
            names += f" and {more} more"
        return DatasetFault(f"{self._folder.name}: {what} in ({names}): {WAYS_OUT}")

    @property
    def surface(self) -> Surface:
        """As it was said, or given by masks, or is seen; an object that is said must be seen."""
        if self._folder.surface == "texture":
            return "texture"
        return "object" if self._folder.foreground else self.predictor.surface

    @property
    def is_texture(self) -> bool:
        """Whether the object fills its pictures."""
        return self.surface == "texture"

    @cached_property
    def fingerprint(self) -> str:
        """What finds the object, as :func:`adabldm.foreground.sealed_masks.fingerprint`."""
        from adabldm.foreground.sealed_masks import fingerprint

        return fingerprint(self.predictor)

    def mask(self, uri: str, picture: np.ndarray | None = None) -> np.ndarray:
        """The object in the good picture at ``uri``, uint8 (H, W) of 0 / 255; all 0 if there is
        none.

        ``picture`` is its pixels, uint8 (H, W, 3), where they have been read already.
        """
        if picture is None:
            picture = read_picture(uri)
        given = self._folder.foreground.get(uri)
        if given is None:
            mask = self.predictor.mask(picture)
        else:
            mask = read_mask(given)
            if mask.shape != picture.shape[:2]:
                own, its = (f"{s[1]} x {s[0]}" for s in (mask.shape, picture.shape))
                raise DatasetFault(f"{given}: is {own}, its picture {uri} {its}")
        if not mask.any() and uri in self._folder.good and uri not in self.without_object:
            self.without_object.append(uri)
        return mask

    def is_given(self, uri: str) -> bool:
        """Whether the object mask of the picture at ``uri`` was given or prepared."""
        return uri in self._folder.foreground


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Networks run on the thread that calls them: all cores are busy already."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def on_all_cores(work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """``work`` of each item, in order; finding an object is nearly all outside the interpreter's
    lock, so threads do, and nothing has to start."""
    size = cores()
    with _one_thread_each(), ThreadPoolExecutor(size) as pool:
        ahead = size * AHEAD
        waiting = [pool.submit(work, item) for item in items[:ahead]]
        for number in range(len(items)):
            done = waiting.pop(0)
            if number + ahead < len(items):
                waiting.append(pool.submit(work, items[number + ahead]))
            yield done.result()
