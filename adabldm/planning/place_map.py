"""How likely the places of one good picture are for each type of defect, kept small."""

from __future__ import annotations

import io
import zipfile

import numpy as np

ANYWHERE = 0.1
"""Share of the defects that lie anywhere, whatever the places look like."""

STEPS = 16
"""Levels of a kept map to a doubling."""


class PlaceMap:
    """The maps of one good picture, kept small: a fraction of a byte to each of (h, w) and type."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def of(cls, maps: np.ndarray, share: np.ndarray) -> PlaceMap:
        """Of float (T, h, w), halved in height and width; ``share`` (h, w) is object."""
        weight = share + 1e-3
        small = _halved(maps * weight) / _halved(weight[None])
        small[:, _halved(share[None])[0] == 0] = ANYWHERE
        levels = np.rint(STEPS * np.log2(np.maximum(small / ANYWHERE, 1)))
        return cls(packed(levels=np.minimum(levels, 255).astype(np.uint8)))

    def unpack(self, types: int) -> np.ndarray | None:
        """How likely places are, float32 (types, h, w); None if it is no map of so many types."""
        found = unpacked(self.data)
        levels = None if found is None else found.get("levels")
        if levels is None or levels.ndim != 3 or len(levels) != types or not levels.size:
            return None
        likely: np.ndarray = ANYWHERE * np.exp2(levels.astype(np.float32) / STEPS)
        return likely


def _halved(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 of (..., h, w)."""
    odd = [(0, 0)] * (values.ndim - 2) + [(0, side % 2) for side in values.shape[-2:]]
    even = np.pad(values, odd, mode="edge")
    small: np.ndarray = (
        even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]
    ) / 4
    return small


def packed(**arrays: np.ndarray) -> bytes:
    """Arrays by name, as :func:`unpacked` takes them."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, np.ndarray] | None:
    """The arrays in ``data``; None if it is not whole."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
