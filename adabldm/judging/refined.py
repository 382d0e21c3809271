"""The refined mask: the pixels of a defect that really changed, as one would draw them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter, label

MARGIN = 3
"""How many pixels the refined mask may reach beyond the asked one, where the change shows there
too. At the picture's own resolution nothing changes there; at the model's the decoder carries some
over the border."""

SMOOTHING = 2.0
"""Standard deviation in pixels of the neighbourhood whose majority decides: single pixels that
changed by chance are no defect, and single ones that did not are no hole."""


def refine(changed: np.ndarray, touched: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The refined mask, bool (h, w), of ``changed``, where the change shows, ``touched``, where a
    pixel differs at all, and ``asked``.

    It is smoothed against speckle, its holes are closed, and it lies within ``asked`` or, by
    :data:`MARGIN` at most, beside it where pixels were touched.
    """
    beside = binary_dilation(asked, iterations=MARGIN) & touched & ~asked
    smooth = _majority(changed, asked) | _majority(changed, beside)
    return _without_holes(smooth) & (asked | beside)


def _majority(changed: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Pixels of ``side`` around which most of ``side`` is ``changed``."""
    if not (changed & side).any():
        return np.zeros_like(side)
    total = gaussian_filter((changed & side).astype(np.float32), SMOOTHING)
    weight = gaussian_filter(side.astype(np.float32), SMOOTHING)
    most: np.ndarray = side & (2 * total > weight)
    return most


def _without_holes(mask: np.ndarray) -> np.ndarray:
    """bool (h, w) with what it encloses."""
    numbered, count = label(~mask)
    is_open = np.zeros(count + 1, bool)
    for border in (numbered[0], numbered[-1], numbered[:, 0], numbered[:, -1]):
        is_open[border] = True
    is_open[0] = False
    filled: np.ndarray = ~is_open[numbered]
    return filled
