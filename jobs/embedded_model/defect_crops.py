"""A defect cut out of its picture, and what a network sees of it.

A defect is small in its picture, so figures of whole pictures tell about the product. The same
rule cuts real, generated and pasted ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from adabldm.core import images, trimap
from adabldm.placement import transform
from jobs.embedded_model.lite0 import Extractor

MARGIN = 2.0
"""Side of the window, in longer sides of the defect's bounding box ..."""
LEAST = 48
"""... but at least so many pixels."""
SIDE = 128
"""Side to which windows are resized, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A picture with one defect: ``image`` uint8 (H, W, 3), ``mask`` (H, W), non-zero inside;
    ``source`` names it, pictures of one ``group`` show one specimen."""

    image: np.ndarray
    mask: np.ndarray
    defect: str
    source: str
    group: str


def window(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the square about a mask (H, W) that is not empty, inside the picture; of
    a defect longer than the picture's shorter side, about its middle."""
    box = transform.bounding_box(mask)
    longest = max(side.stop - side.start for side in box)
    size = min(mask.shape)
    side = min(size, max(math.ceil(MARGIN * longest), LEAST))
    centre = [(part.start + part.stop) / 2 for part in box]
    if longest > size:
        pixels = np.argwhere(mask)
        centre = list(pixels[np.square(pixels - centre).sum(axis=1).argmin()])
    rows, cols = (
        slice(start, start + side)
        for start in (
            min(max(int(middle - side / 2), 0), whole - side)
            for middle, whole in zip(centre, mask.shape, strict=True)
        )
    )
    return rows, cols


def crop(sample: Sample, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """The defect's window: image uint8 (side, side, 3), and bool (side, side) of its mask."""
    where = window(sample.mask)
    mask = trimap.resize(trimap.compose(sample.mask[where]), side, side) == trimap.DEFECT
    return images.resize(np.ascontiguousarray(sample.image[where]), side, side), mask


@dataclass(frozen=True, kw_only=True)
class CropFeatures:
    """What a network makes of N crops: ``layers`` float32 (N, C, h, w) each, and ``defects``
    (N, D), the layers' means over the places that the defect touches and those next to them."""

    layers: list[np.ndarray]
    defects: np.ndarray


def crop_features(samples: Sequence[Sample], extractor: Extractor) -> CropFeatures:
    """The crops of ``samples`` (at least one) seen by ``extractor``."""
    crops = [crop(sample) for sample in samples]
    layers = extractor(np.stack([image for image, _ in crops]))
    masks = torch.from_numpy(np.stack([mask for _, mask in crops]).astype(np.float32))[:, None]
    pooled = []
    for layer in layers:
        touched = F.adaptive_max_pool2d(masks, (layer.shape[2], layer.shape[3]))
        near = F.max_pool2d(touched, 3, stride=1, padding=1).numpy()
        pooled.append((layer * near).sum(axis=(2, 3)) / near.sum(axis=(2, 3)))
    return CropFeatures(layers=layers, defects=np.concatenate(pooled, axis=1))
