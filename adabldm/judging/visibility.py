"""Where a change can be seen: against the good picture's own noise, as the eye has it.

A few grey levels show on a smooth sheet and not on gravel, whose own pixels differ by more.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, median_filter

SCALES = (1.0, 2.0, 4.0)
"""Standard deviations in pixels of the means in which a change is looked for: a thin line shows in
the first, a stain on a rough ground in the last, where the roughness averages out."""

FLOOR = 4.0
"""The least change that shows on a ground without any noise, in grey levels ..."""
RATIO = 1.25
"""... and how many times the ground's noise a change must be to show."""

LEAST_FINE = 0.25
"""A change shows in wider means only where the finest has this much of what shows: wide ones carry
a strong change over into its surroundings."""

BESIDE = 0.15
"""How much of the defect's strongest change a change must be to show beside it ..."""
STRONGEST = 0.9
"""... the strongest being this quantile ..."""
SAMPLE = 100_000
"""... of so many pixels at least, if there are as many."""

BLOCK = 16
"""Side in pixels of the squares whose noise is measured."""
GROUND = 8.0
"""Standard deviation in pixels of the mean that noise is a departure from."""
OF_MEDIAN = 1.4826
"""Standard deviation over median absolute value, of normal noise."""


def thresholds(source: np.ndarray) -> np.ndarray:
    """The change in grey levels that just shows on uint8 (h, w, 3), in means of each of
    :data:`SCALES`: float32 (3, h, w)."""
    pixels = source.astype(np.float32)
    ground = gaussian_filter(pixels, (GROUND, GROUND, 0))
    levels = [_level(_rms(_mean(pixels, scale) - ground)) for scale in SCALES]
    return np.maximum(FLOOR, RATIO * np.stack(levels))


def visibility(
    image: np.ndarray,
    source: np.ndarray,
    asked: np.ndarray,
    shows: np.ndarray,
    least: float = 0.0,
) -> np.ndarray:
    """How visible the change from ``source`` to ``image`` is, both uint8 (h, w, 3): float32
    (h, w), 1 where it just shows, 0 where nothing changed. What just shows are ``shows`` of
    :func:`thresholds`, and no less than ``least`` grey levels (:func:`beside_the_strongest`).

    The change is averaged on either side of the border of ``asked``, bool (h, w), by itself, so
    that a defect of one pixel is not thinned out by its untouched surroundings.
    """
    change = image.astype(np.float32) - source.astype(np.float32)
    result = np.zeros(asked.shape, np.float32)
    for side in (asked, ~asked):
        inside = change * side[..., None]
        if not inside.any():
            continue
        finest, *wider = (
            _sided_mean(inside, side, scale) / np.maximum(level[side], least)
            for scale, level in zip(SCALES, shows, strict=True)
        )
        is_own = finest >= LEAST_FINE
        result[side] = np.max([finest, *(one * is_own for one in wider)], axis=0)
    return result


def beside_the_strongest(image: np.ndarray, source: np.ndarray, asked: np.ndarray) -> float:
    """The change in grey levels that just shows next to the strongest tenth of the change inside
    ``asked``, bool (h, w) with a pixel at least: the eye takes a faint trace between two dark spots
    for no defect. Images uint8 (h, w, 3)."""
    every = max(1, int(asked.sum()) // SAMPLE)
    rows, cols = (one[::every] for one in np.nonzero(asked))
    change = change_size(image[rows, cols], source[rows, cols])
    return BESIDE * float(np.quantile(change, STRONGEST))


def change_size(image: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The size of each pixel's change in grey levels, root mean square over the channels: of two
    uint8 (..., 3), float32 (...)."""
    return _rms(image.astype(np.float32) - source)


def _sided_mean(inside: np.ndarray, side: np.ndarray, scale: float) -> np.ndarray:
    """The size of the mean of ``inside`` (h, w, 3), 0 beyond ``side``, at the N pixels of ``side``:
    (N,)."""
    weight = gaussian_filter(side.astype(np.float32), scale)[side]
    return _rms(_mean(inside, scale)[side] / weight[:, None])


def _mean(pixels: np.ndarray, scale: float) -> np.ndarray:
    mean: np.ndarray = gaussian_filter(pixels, (scale, scale, 0))
    return mean


def _rms(pixels: np.ndarray) -> np.ndarray:
    """Root mean square over the channels."""
    size: np.ndarray = np.sqrt(np.square(pixels).mean(axis=-1))
    return size


def _level(departure: np.ndarray) -> np.ndarray:
    """The noise in grey levels from each pixel's departure (h, w): the median of each square, in
    which an edge that crosses it does not count, and of the squares around it."""
    height, width = departure.shape
    padded = np.pad(departure, [(0, -height % BLOCK), (0, -width % BLOCK)], mode="symmetric")
    rows, cols = padded.shape[0] // BLOCK, padded.shape[1] // BLOCK
    squares = padded.reshape(rows, BLOCK, cols, BLOCK).swapaxes(1, 2).reshape(rows, cols, -1)
    levels = median_filter(OF_MEDIAN * np.median(squares, axis=2), 3, mode="nearest")
    size = (cols * BLOCK, rows * BLOCK)
    spread = Image.fromarray(levels.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(spread)[:height, :width]
