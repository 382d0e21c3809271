"""Run lengths and polygons give the mask back, whichever program fills them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco
from scipy.ndimage import gaussian_filter
from skimage.draw import polygon2mask

from adabldm.data.layouts.shapes import run_lengths as read_run_lengths
from cluster.output.export import rle
from cluster.output.export.parts import parts_of
from cluster.output.export.polygons import outline

RNG = np.random.default_rng(0)


def blobs(share: float, sigma: float, shape: tuple[int, int] = (50, 70)) -> np.ndarray:
    values = gaussian_filter(RNG.normal(size=shape), sigma)
    return values > np.quantile(values, 1 - share)


def ring(width: int) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    mask[5 + width : 35 - width, 5 + width : 35 - width] = False
    mask[15:22, 15:22] = True  # inside the hole
    return mask


def lattice() -> np.ndarray:
    mask = np.ones((41, 61), bool)
    mask[1::2, 1::2] = False
    return mask


MASKS = {
    "blobs": blobs(0.2, 3),
    "ragged": blobs(0.4, 1),
    "noise": RNG.random((30, 40)) > 0.5,
    "dust": RNG.random((30, 40)) > 0.95,
    "ring": ring(4),
    "thin ring": ring(1),
    "lattice": lattice(),
    "diagonal": np.eye(20, dtype=bool),
    "both diagonals": np.eye(21, dtype=bool) | np.eye(21, dtype=bool)[::-1],
    "checks": np.indices((12, 15)).sum(0) % 2 == 0,
    "a pixel": np.pad([[True]], 5),
    "a corner": np.pad([[True]], ((0, 5), (0, 5))),
    "lines": np.indices((12, 15))[0] % 4 == 1,
    "everything": np.ones((9, 12), bool),
    "nothing": np.zeros((9, 12), bool),
}


@pytest.mark.parametrize("name", MASKS)
def test_run_lengths_are_those_of_pycocotools(name: str) -> None:
    mask = MASKS[name]
    text = rle.encode(rle.run_lengths(mask))
    theirs = coco.encode(np.asfortranarray(mask, np.uint8))
    assert text == theirs["counts"].decode()
    assert (coco.decode({"size": list(mask.shape), "counts": text}) == mask).all()
    assert (read_run_lengths(text, list(mask.shape), mask.shape) == mask).all()


def filled_like_opencv(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """As ultralytics and OpenCV do: corners are cut to whole pixels, the border belongs to it."""
    image = Image.new("1", shape[::-1])
    whole = [tuple(point) for point in points.astype(int).tolist()]
    if len(set(whole)) == 1:
        image.putpixel(whole[0], 1)
    else:
        ImageDraw.Draw(image).polygon(whole, fill=1, outline=1)
    return np.asarray(image)


def filled_by_centres(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return polygon2mask(shape, points[:, ::-1] - 0.5)


@pytest.mark.parametrize("name", MASKS)
def test_polygons_filled_again_are_the_parts_with_their_holes(name: str) -> None:
    mask = MASKS[name]
    again = np.zeros((2, *mask.shape), bool)
    for part in parts_of(mask):
        points = outline(part.pixels) + np.array([part.left, part.top])
        assert len(points) >= 4
        alone = part.inside(mask.shape)
        for number, fill in enumerate((filled_like_opencv, filled_by_centres)):
            found = fill(points, mask.shape)
            assert (found == alone).all(), (name, number, np.argwhere(found != alone)[:5])
            again[number] |= found
        inside = (points[:, 0] >= 0) & (points[:, 0] <= mask.shape[1])
        assert inside.all()
    assert (again == mask).all()


@pytest.mark.parametrize("name", MASKS)
def test_parts_are_connected_by_corners_and_their_boxes_are_tight(name: str) -> None:
    mask = MASKS[name]
    parts = list(parts_of(mask))
    assert sum(part.area for part in parts) == mask.sum()
    for part in parts:
        theirs = coco.encode(np.asfortranarray(part.inside(mask.shape), np.uint8))
        assert part.box == coco.toBbox(theirs).tolist()
    if "diagonal" in name:
        assert len(parts) == 1


def test_a_large_ragged_part_comes_back() -> None:
    mask = blobs(0.5, 3, (600, 600))
    largest = max(parts_of(mask), key=lambda part: part.area)
    points = outline(largest.pixels) + np.array([largest.left, largest.top])
    assert (filled_by_centres(points, mask.shape) == largest.inside(mask.shape)).all()
