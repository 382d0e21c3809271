"""Pseudo-defects: a real defect's pixels turned, scaled and pasted on a good image
(paper, section III-C), the training pairs of the control branch."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter

from adabldm.placement import transform
from adabldm.placement.membrane import RING, around, membrane

Seam = Literal["hard", "soft", "membrane"]
"""How a pasted defect meets its new ground: ``hard``, its pixels as they are (the paper);
``soft``, with its surroundings' tone carried over and the outline blended over a pixel;
``membrane``, with the difference of both surroundings carried over place by place, as in gradient
domain editing (Perez et al., "Poisson image editing", 2003), and the same blend."""

BLUR, GAIN, LEAST = 0.6, 1.5, 0.6
"""The blend: the mask blurred by so many pixels, times this, but at least this inside."""

LEAST_COVERED = 0.3
"""Share of a new outline that a reshaped defect must fill by itself."""


def _grown(box: tuple[slice, slice], margin: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    rows, cols = (
        slice(max(0, side.start - margin), min(size, side.stop + margin))
        for side, size in zip(box, shape, strict=False)
    )
    return rows, cols


def _meanaround(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean colour (3,) of the surroundings of ``mask`` (H, W), of the picture if it is all mask."""
    near = _grown(transform.bounding_box(mask), RING, mask.shape)
    ring = around(mask[near])
    part = image[near][ring] if ring.any() else image.reshape(-1, image.shape[2])
    mean: np.ndarray = part.mean(axis=0)
    return mean


def _lifted(
    defective: np.ndarray, mask: np.ndarray, where: transform.Placement, size: tuple[int, int]
) -> np.ndarray:
    """The whole of ``defective``, moved as the recipe moves its mask: float (*size, 4), the
    pixels in the new picture and how much of each is known, 0..1."""
    box = transform.bounding_box(mask)
    inside = (mask[box] > 0).astype(np.uint8) * 255
    turned = transform.turn(inside, where.angle, where.scale)
    tight = transform.bounding_box(transform.solid(turned))
    # The centre of the box stays the centre of what is turned; that gives the map's offset.
    centre_y = where.top + turned.shape[0] / 2 - tight[0].start
    centre_x = where.left + turned.shape[1] / 2 - tight[1].start
    scale_y = max(1, round(inside.shape[0] * where.scale)) / inside.shape[0]
    scale_x = max(1, round(inside.shape[1] * where.scale)) / inside.shape[1]
    angle = np.deg2rad(where.angle)
    cos, sin = np.cos(angle), np.sin(angle)
    from_y, from_x = (box[0].start + box[0].stop) / 2, (box[1].start + box[1].stop) / 2
    a, b = cos / scale_x, -sin / scale_x
    d, e = sin / scale_y, cos / scale_y
    numbers = (
        a, b, from_x - a * centre_x - b * centre_y,
        d, e, from_y - d * centre_x - e * centre_y,
    )  # fmt: skip
    opaque = np.full((*defective.shape[:2], 1), 255, np.uint8)
    picture = Image.fromarray(np.concatenate([defective, opaque], axis=2), "RGBA")
    moved = picture.transform(
        size[::-1], Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR
    )
    lifted = np.asarray(moved, np.float32)
    return np.concatenate([lifted[..., :3], lifted[..., 3:] / 255], axis=2)


def paste(
    where: transform.Placement,
    good: np.ndarray,
    defective: np.ndarray,
    mask: np.ndarray,
    *,
    seam: Seam = "soft",
) -> tuple[np.ndarray, np.ndarray]:
    """Paste the defect that ``mask`` marks in ``defective`` on ``good``, ``where`` it is told to.

    Images are uint8 (H, W, 3) of one size; ``mask`` (H, W), non-zero on the defect; ``seam`` see
    :data:`Seam`. Returns the pasted image, uint8 (H, W, 3), and its mask, uint8 (H, W) of 0 / 255.
    Raises :class:`adabldm.placement.transform.PlacementFault` if the defect leaves the picture.
    """
    if seam not in get_args(Seam):
        raise ValueError(f"seam: {seam!r} is not one of {', '.join(get_args(Seam))}")
    size = (good.shape[0], good.shape[1])
    placed = transform.render(mask, where, *size)
    window = _grown(transform.bounding_box(placed), 2 * RING, size)
    inside = placed[window] > 0
    ground = good[window].astype(np.float32)
    moved = transform.Placement(
        angle=where.angle,
        scale=where.scale,
        top=where.top - window[0].start,
        left=where.left - window[1].start,
    )
    lifted = _lifted(defective, mask, moved, inside.shape)
    patch, known = lifted[..., :3], lifted[..., 3] > 0.99
    if seam == "soft":
        patch += _meanaround(good, placed > 0) - _meanaround(defective, mask > 0)
    elif seam == "membrane":
        ring = around(inside) & known
        if ring.any():
            patch += membrane(ground - patch, ring)
    alpha = inside.astype(np.float32) if seam == "hard" else _softened(inside)
    return _blended(good, window, patch, alpha * lifted[..., 3]), placed


def _softened(inside: np.ndarray) -> np.ndarray:
    """Opacity of bool (h, w): its outline is blended over a pixel, nothing outside changes."""
    soft = np.clip(gaussian_filter(inside.astype(np.float32), BLUR) * GAIN, LEAST, 1)
    opacity: np.ndarray = soft * inside
    return opacity


def _blended(
    good: np.ndarray, window: tuple[slice, slice], patch: np.ndarray, alpha: np.ndarray
) -> np.ndarray:
    """``good`` with ``patch`` (h, w, 3) over its ``window``, as opaque as ``alpha`` (h, w)."""
    result = good.copy()
    opacity = alpha[..., None]
    blended = good[window].astype(np.float32) * (1 - opacity) + patch * opacity
    result[window] = np.clip(np.rint(blended), 0, 255).astype(np.uint8)
    return result


def paste_reshaped(
    rng: np.random.Generator,
    good: np.ndarray,
    defective: np.ndarray,
    mask: np.ndarray,
    shape: np.ndarray,
    foreground: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Give the defect of ``defective`` under ``mask`` the outline of ``shape``, at a random place.

    The defect is stretched to the outline's box; where it does not reach, its nearest pixel
    stands. Tone and outline as with seam ``soft``; arguments and result as :func:`paste`,
    ``foreground`` (H, W) non-zero where a defect may lie.

    Raises :class:`adabldm.placement.transform.PlacementFault` if the outline fits nowhere, or the
    defect would fill little of it.
    """
    where = transform.place(rng, shape, foreground)
    placed = transform.render(shape, where, *good.shape[:2])
    window = transform.bounding_box(placed)
    inside = placed[window] > 0
    box = transform.bounding_box(mask)
    size = (inside.shape[1], inside.shape[0])
    look = Image.fromarray(defective[box]).resize(size, Image.Resampling.BILINEAR)
    covered = np.asarray(Image.fromarray(mask[box]).resize(size, Image.Resampling.BOX)) > 127
    if covered[inside].mean() < LEAST_COVERED:
        raise transform.PlacementFault("the defect fills too little of the other's outline")
    nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    patch = np.asarray(look, np.float32)[tuple(nearest)]
    patch += _meanaround(good, placed > 0) - _meanaround(defective, mask > 0)
    return _blended(good, window, patch, _softened(inside)), placed
