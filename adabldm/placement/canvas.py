"""A request's picture, as the model sees it and as it comes back: window by window, or squeezed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from adabldm.core import images, trimap
from adabldm.placement import windows
from adabldm.placement.long_defects import in_parts


@dataclass(frozen=True)
class View:
    """What the model sees: ``image`` uint8 (S, S, 3), ``trimap`` uint8 (S, S), the ``seed`` of its
    noise, and the ``start`` uint8 (S, S, 3) that the drawing starts from, None: noise alone."""

    image: np.ndarray
    trimap: np.ndarray
    seed: int
    start: np.ndarray | None = None


class Canvas(Protocol):
    """One request's picture. ``source`` uint8 (H, W, 3) and ``trimap`` uint8 (H, W) are of the
    result's size."""

    source: np.ndarray
    trimap: np.ndarray

    def views(self) -> list[View]:
        """All that the model has to draw, in a fixed order."""
        ...

    def composed(self, drawn: Sequence[np.ndarray]) -> np.ndarray:
        """The result uint8 (H, W, 3) from the ``drawn`` views, uint8 (S, S, 3) each."""
        ...

    def facts(self) -> dict[str, float]:
        """Figures of how the picture was cut."""
        ...


class SqueezedCanvas:
    """The whole picture at the model's size; the result is what the model drew."""

    def __init__(
        self, image: np.ndarray, marks: np.ndarray, seed: int, size: int, start: np.ndarray | None
    ) -> None:
        self.source = images.resize(image, size, size)
        self.trimap = trimap.resize(marks, size, size)
        self._seed = seed
        self._start = None if start is None else images.resize(start, size, size)

    def views(self) -> list[View]:
        return [View(self.source, self.trimap, self._seed, self._start)]

    def composed(self, drawn: Sequence[np.ndarray]) -> np.ndarray:
        (only,) = drawn
        return only

    def facts(self) -> dict[str, float]:
        return {}


class WindowedCanvas:
    """The picture at its own size, and the windows around its defects.

    A shrunk window's drawing gets the fine grain of its start, by the share ``detail``, or the
    picture's own.
    """

    def __init__(
        self,
        image: np.ndarray,
        marks: np.ndarray,
        seed: int,
        size: int,
        start: np.ndarray | None,
        detail: float = 1.0,
    ) -> None:
        self.source, self.trimap, self._start = image, marks, start
        self._detail = detail
        self._seed = seed
        self._defects = windows.defects_of(marks)
        self._parts = in_parts(self._defects, size)
        self._windows = windows.windows_of(self._parts.numbers, size, thin=self._parts.thin)

    def views(self) -> list[View]:
        seeds = windows.derived_seeds(self._seed, len(self._windows))
        return [
            View(
                windows.cut_picture(self.source, window),
                windows.cut_trimap(self.trimap, self._defects, self._whole(window)),
                seed,
                None if self._start is None else windows.cut_picture(self._start, window),
            )
            for window, seed in zip(self._windows, seeds, strict=True)
        ]

    def composed(self, drawn: Sequence[np.ndarray]) -> np.ndarray:
        result, grain = self.source.copy(), self._grain()
        for window, one in zip(self._windows, drawn, strict=True):
            windows.put_back(result, self.source, one, self._parts.numbers, window, grain)
        return result

    def _grain(self) -> np.ndarray:
        if self._start is None or self._detail == 0:
            return self.source
        if self._detail == 1:
            return self._start
        mixed = self.source + self._detail * (self._start.astype(np.float32) - self.source)
        return np.rint(mixed).astype(np.uint8)

    def _whole(self, window: windows.Window) -> windows.Window:
        """The window with the numbers of the defects that its parts are of."""
        near = window.inside(*self.trimap.shape)
        own = np.isin(self._parts.numbers[near], window.parts)
        return replace(window, parts=tuple(np.unique(self._defects[near][own]).tolist()))

    def facts(self) -> dict[str, float]:
        """``windows`` and ``shrink``, the most pixels of the picture to one of the model's."""
        shrink = max(window.side / window.size for window in self._windows)
        return {"windows": float(len(self._windows)), "shrink": shrink}


def canvas(
    image: np.ndarray,
    marks: np.ndarray,
    seed: int,
    size: int,
    *,
    native: bool,
    start: np.ndarray | None = None,
    detail: float = 1.0,
) -> Canvas:
    """The canvas of a request: ``image`` uint8 (H, W, 3), ``marks`` its trimap uint8 (H, W), drawn
    by a model of ``size``, in windows if ``native``; ``start`` uint8 (H, W, 3) if it has one, with
    the share ``detail`` of its grain."""
    if native:
        return WindowedCanvas(image, marks, seed, size, start, detail)
    return SqueezedCanvas(image, marks, seed, size, start)
