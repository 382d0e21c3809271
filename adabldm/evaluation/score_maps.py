"""Score maps as detectors write them: a number a pixel, the higher the more defective.

``.npy`` of float16, float32 or float64; ``.tiff`` or ``.tif`` of floating point; 16-bit ``.png``.
Only the order of the scores counts, so any range will do.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from threading import Lock

import numpy as np
import tifffile
from PIL import Image

from adabldm.core import images, pixel_kinds

NPY, PNG = ".npy", ".png"
TIFFS = (".tif", ".tiff")
SUFFIXES = (NPY, *TIFFS, PNG)
"""In the order in which a fault names them."""

HEADER_BYTES = 4096
FLOATS = ("float16", "float32", "float64")
HEADERS = Lock()
"""Python 3.11's parser, by which NumPy reads a header, counts its depth over all threads and raises
``SystemError`` now and then where two are at it."""


class ScoreFault(ValueError):
    """A file that is no score map; the message says why."""


def look(data: bytes, suffix: str, length: int) -> tuple[int, int]:
    """(height, width) of the map whose file begins with ``data``, at least :data:`HEADER_BYTES` of
    it for ``.npy`` and all else, and has ``length`` bytes. Raises :class:`ScoreFault`."""
    return _npy_size(data, length) if suffix == NPY else _picture(data, suffix).shape


def decode(data: bytes, suffix: str) -> np.ndarray:
    """The map: (H, W), float32, or float64 where its file has that. Raises :class:`ScoreFault`,
    also for numbers that are not finite."""
    if suffix == NPY:
        shape = _npy_size(data, len(data))
        with HEADERS:
            scores = np.load(io.BytesIO(data), allow_pickle=False).reshape(shape)
    else:
        scores = _picture(data, suffix)
    wide = np.float64 if scores.dtype.itemsize == 8 else np.float32
    scores = np.ascontiguousarray(scores, wide)
    finite = np.isfinite(scores)
    if not finite.all():
        rule = "are not finite (NaN or infinite)"
        raise ScoreFault(f"{np.count_nonzero(~finite)} of its {scores.size} numbers {rule}")
    return scores


def _npy_size(data: bytes, length: int) -> tuple[int, int]:
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read: Callable[..., tuple] = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        with HEADERS:
            shape, _, kind = read(file)
    except (ValueError, SyntaxError, TypeError, EOFError, OverflowError, MemoryError) as error:
        raise ScoreFault("is not a whole .npy file") from error
    if kind.name not in FLOATS:
        raise ScoreFault(f"holds {kind.name}, must hold {', '.join(FLOATS[:-1])} or {FLOATS[-1]}")
    size = tuple(side for side in shape if side != 1)
    if len(size) != 2:
        raise ScoreFault(f"has shape {shape}, must be (height, width)")
    _refuse_large(*size)
    if length < file.tell() + size[0] * size[1] * kind.itemsize:
        raise ScoreFault("is cut short: it has fewer bytes than its shape needs")
    return size


def _refuse_large(height: int, width: int) -> None:
    if height * width == 0:
        raise ScoreFault("has no pixel")
    if height * width > images.MAX_PIXELS:
        raise ScoreFault(f"{width} x {height} is more than {images.MAX_PIXELS} pixels")


def _picture(data: bytes, suffix: str) -> np.ndarray:
    try:
        return _png(data) if suffix == PNG else _tiff(data)
    except images.ImageFault as fault:
        raise ScoreFault(str(fault)) from fault


def _png(data: bytes) -> np.ndarray:
    with images.opened(data) as image:
        if image.format not in (None, "PNG") or image.mode not in pixel_kinds.SIXTEEN_BITS:
            raise ScoreFault(f"is a picture of kind {image.mode!r}, must be a grey PNG of 16 bits")
        return np.asarray(image)


def _tiff(data: bytes) -> np.ndarray:
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            count, kind = len(file.pages), np.dtype(page.dtype)
            size = tuple(side for side in page.shape if side != 1)
            _refuse_large(*(size if len(size) == 2 else (1, 1)))
            if count == 1 and len(size) == 2 and kind.name in FLOATS:
                return _tiff_pixels(file, data, kind).reshape(size)
    except ScoreFault:
        raise
    except Exception as error:  # the library raises whatever broken data leads it to
        raise ScoreFault(f"is not a whole TIFF: {error or type(error).__name__}") from error
    raise ScoreFault(
        f"is a TIFF of {count} pages, shape {page.shape}, of {kind.name}: must be one page "
        "(height, width) of floating point"
    )


def _tiff_pixels(file: tifffile.TiffFile, data: bytes, kind: np.dtype) -> np.ndarray:
    try:
        return np.asarray(file.pages[0].asarray())
    except ValueError:  # a compression that needs a further library; Pillow has some of its own
        if kind.itemsize != 4:
            raise
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
            return np.asarray(image, np.float32)


def same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether a map of ``size`` is one of a picture of the ``other`` size, enlarged or shrunk: the
    sides' ratios agree but for rounding to whole pixels."""
    low = max((side - 1) / whole for side, whole in zip(size, other, strict=True))
    high = min((side + 1) / whole for side, whole in zip(size, other, strict=True))
    return low < high


def fit(scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``scores`` (h, w) resized bilinearly to ``size``: pixels' centres are at halves, the border
    is repeated, and shrinking does not blur (as PyTorch's ``align_corners=False``)."""
    if scores.shape == size:
        return scores
    fitted = scores.astype(np.float64)
    for axis in (0, 1):
        low, high, share = _between(fitted.shape[axis], size[axis])
        lower, upper = fitted.take(low, axis), fitted.take(high, axis)
        fitted = lower + (upper - lower) * (share[:, None] if axis == 0 else share)
    return fitted.astype(scores.dtype)


@cache
def _between(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each new pixel the two old ones around it, and how far it is towards the second."""
    at = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    low = np.floor(at).astype(int)
    return low, np.minimum(low + 1, old - 1), at - low
