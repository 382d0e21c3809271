"""Patches of other good pictures with their seams taken out, as NSA spoils good pictures (Schlüter
et al., ECCV 2022: Poisson image editing, Perez et al., 2003)."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, binary_fill_holes
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

from adabldm.placement.transform import bounding_box

SCALES = (0.7, 1.3)
"""Between which a patch is resized (NSA)."""
MOST_UNKNOWNS = 40_000
"""Pixels that are solved for at once; of a larger patch the smooth correction is made smaller."""
VISIBLE = 5.0
"""Grey levels by which a pixel has changed (NSA's label: where the two pictures differ)."""
ENOUGH = 0.2
"""Share of the patch that must have changed; else another one is tried."""
TRIES = 4


def blend(patch: np.ndarray, good: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """``good``, uint8 (H, W, 3), with ``patch`` of its size over bool ``shape`` (H, W): the patch's
    gradients inside, the good picture's values around it."""
    rows, cols = bounding_box(shape)
    near = (
        slice(max(0, rows.start - 1), rows.stop + 1),
        slice(max(0, cols.start - 1), cols.stop + 1),
    )
    inside = shape[near]
    difference = good[near].astype(np.float64) - patch[near]
    mended = patch[near] + membrane(difference, inside)
    result = good.copy()
    result[near][inside] = np.clip(np.rint(mended), 0, 255).astype(np.uint8)[inside]
    return result


def membrane(difference: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The harmonic function in bool ``inside`` (h, w) that is ``difference`` (h, w, C) around it;
    where the picture ends it is flat."""
    if np.count_nonzero(inside) > MOST_UNKNOWNS:
        return _of_half(difference, inside)
    height, width = inside.shape
    number = np.full((height + 2, width + 2), -1)
    number[1:-1, 1:-1][inside] = np.arange(np.count_nonzero(inside))
    known = np.pad(~inside, 1)
    values = np.pad(difference, ((1, 1), (1, 1), (0, 0)))
    own = number[1:-1, 1:-1][inside]
    degree = np.zeros(len(own))
    right = np.zeros((len(own), difference.shape[2]))
    entries = []
    for down, along in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        window = slice(1 + down, 1 + down + height), slice(1 + along, 1 + along + width)
        beside, is_known = number[window][inside], known[window][inside]
        degree += (beside >= 0) | is_known
        right += np.where(is_known[:, None], values[window][inside], 0)
        joined = beside >= 0
        entries.append((own[joined], beside[joined]))
    at = np.concatenate([pair[0] for pair in entries] + [own])
    to = np.concatenate([pair[1] for pair in entries] + [own])
    weights = np.concatenate([np.full(len(at) - len(own), -1.0), np.maximum(degree, 1e-6) + 1e-9])
    matrix = csr_array((weights, (at, to)), shape=(len(own), len(own))).tocsc()
    carried = difference.copy()
    carried[inside] = splu(matrix).solve(right)
    return carried


def _of_half(difference: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """:func:`membrane` at half the scale, enlarged: it is smooth but at its rim."""
    height, width = inside.shape
    half = (max(1, width // 2), max(1, height // 2))
    small_inside = np.asarray(Image.fromarray(inside).resize(half, Image.Resampling.NEAREST))
    small = _resized(difference, half, Image.Resampling.NEAREST)
    carried = _resized(membrane(small, small_inside), (width, height), Image.Resampling.BILINEAR)
    return np.where(inside[..., None], carried, difference)


def _resized(values: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    layers = [Image.fromarray(values[..., c].astype(np.float32)) for c in range(values.shape[2])]
    return np.stack([np.asarray(layer.resize(size, how), np.float64) for layer in layers], axis=2)


def spoil(
    rng: np.random.Generator, good: np.ndarray, other: np.ndarray, shape: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``good``, uint8 (H, W, 3), with a part of the ``other`` good picture blended in over bool
    ``shape`` (H, W), and where that shows: bool (H, W). Of some tries the one that shows most, or
    the first that shows enough."""
    best, shown = good, np.zeros(shape.shape, bool)
    for _ in range(TRIES):
        blended = blend(_donated(rng, other, shape), good, shape)
        change = np.abs(blended.astype(np.int16) - good).mean(axis=2)
        seen = _closed(change > VISIBLE) & shape
        if seen.sum() > shown.sum():
            best, shown = blended, seen
        if shown.sum() >= ENOUGH * shape.sum():
            break
    return best, shown


def _closed(mask: np.ndarray) -> np.ndarray:
    """``mask`` without the specks that noise leaves in it."""
    closed: np.ndarray = binary_fill_holes(binary_dilation(mask))
    return closed


def _donated(rng: np.random.Generator, other: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """A patch of ``other``, scaled, anywhere in it, over the box of ``shape``: uint8 (H, W, 3)."""
    rows, cols = bounding_box(shape)
    size = rows.stop - rows.start, cols.stop - cols.start
    scale = float(rng.uniform(*SCALES))
    taken = [
        min(length, max(1, round(side / scale)))
        for side, length in zip(size, other.shape, strict=False)
    ]
    top, left = (
        int(rng.integers(length - side + 1))
        for side, length in zip(taken, other.shape, strict=False)
    )
    part = other[top : top + taken[0], left : left + taken[1]]
    patch = np.zeros((*shape.shape, 3), np.uint8)
    patch[rows, cols] = np.asarray(
        Image.fromarray(part).resize(size[::-1], Image.Resampling.BILINEAR)
    )
    # Outside the box the patch goes on as at its border: differences there are those of the rim.
    near = (
        slice(max(0, rows.start - 1), rows.stop + 1),
        slice(max(0, cols.start - 1), cols.stop + 1),
    )
    before = rows.start - near[0].start, cols.start - near[1].start
    after = (
        min(shape.shape[0], rows.stop + 1) - rows.stop,
        min(shape.shape[1], cols.stop + 1) - cols.stop,
    )
    patch[near] = np.pad(
        patch[rows, cols], ((before[0], after[0]), (before[1], after[1]), (0, 0)), mode="edge"
    )
    return patch
