"""Pairs of which it is known whether their mask lies, from real defects of any data set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from adabldm.core import random_streams, trimap
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import read_defect_mask, read_picture
from adabldm.foreground.object_masks import ObjectMasks
from adabldm.networks.autoencoder import from_uint8, to_uint8
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.placement import transform
from adabldm.placement.canvas import canvas
from adabldm.placement.pasting import paste

EACH_TYPE, TRIES = 4, 6
LARGEST = 60_000
"""Pixels of a defect at most, so that the run takes minutes."""


@dataclass(frozen=True)
class Control:
    """A good picture uint8 (H, W, 3), where its defect was asked for, bool (H, W), and the images
    that are made of it by name."""

    good: np.ndarray
    asked: np.ndarray
    images: dict[str, np.ndarray]


def controls(
    folder: ObjectFolder,
    items: tuple[DefectImage, ...],
    goods: tuple[str, ...],
    pipeline: AdaBLDMPipeline,
) -> Iterator[Control]:
    """Of some of ``items`` of each type, each put on one of ``goods``: ``real``, the defect pasted;
    ``third``, in a third of its mask; ``nothing``, the picture as it is; ``reconstructed``, what
    the autoencoder makes of it; ``redrawn``, ordinary surface of another picture."""
    inside = ObjectMasks(folder)
    by_type = defaultdict(list)
    for item in items:
        by_type[item.defect].append(item)
    for name, some in sorted(by_type.items()):
        for number, item in enumerate(some[:EACH_TYPE]):
            rng = random_streams.stream(0, f"judge/{folder.name}/{name}", number)
            made = _pasted(rng, item, goods, inside)
            if made is not None:
                yield _control(rng, *made, goods, inside.is_texture, pipeline)


def _pasted(
    rng: np.random.Generator, item: DefectImage, goods: tuple[str, ...], inside: ObjectMasks
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """A good picture, the defect of ``item`` on it, and its mask; None where it fits on none."""
    mask = read_defect_mask(item.mask, item.mask_rule)
    if not 0 < (mask > 0).sum() <= LARGEST:
        return None
    for _ in range(TRIES):
        uri = goods[int(rng.integers(len(goods)))]
        good = read_picture(uri)
        where = np.full(good.shape[:2], 255, np.uint8) if inside.is_texture else inside.mask(uri)
        try:
            placed = transform.place(rng, mask, where)
            image, asked = paste(placed, good, read_picture(item.image), mask)
        except transform.PlacementFault:
            continue
        return good, image, asked > 0
    return None


def _control(
    rng: np.random.Generator,
    good: np.ndarray,
    image: np.ndarray,
    asked: np.ndarray,
    goods: tuple[str, ...],
    is_texture: bool,
    pipeline: AdaBLDMPipeline,
) -> Control:
    images = {
        "real": image,
        "third": a_third(image, good, asked),
        "nothing": good.copy(),
        "reconstructed": _reconstructed(good, asked, pipeline),
    }
    other = read_picture(goods[int(rng.integers(len(goods)))])
    if is_texture and other.shape == good.shape and not np.array_equal(other, good):
        rows, cols = transform.bounding_box(asked)
        same = transform.Placement(angle=0, scale=1, top=rows.start, left=cols.start)
        images["redrawn"], _ = paste(same, good, other, asked)
    return Control(good, asked, images)


def a_third(image: np.ndarray, good: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """``image`` with its defect in the first third of ``asked``, along the longer side."""
    places = np.nonzero(asked)
    along = int(np.ptp(places[1]) >= np.ptp(places[0]))
    within = np.indices(asked.shape)[along] <= np.quantile(places[along], 1 / 3)
    return np.where(within[..., None], image, good)


@torch.no_grad()
def _reconstructed(good: np.ndarray, asked: np.ndarray, pipeline: AdaBLDMPipeline) -> np.ndarray:
    """What a model gives that draws no defect: its autoencoder's picture, put back by windows."""
    cut = canvas(good, trimap.compose(asked), 0, pipeline.image_size, native=True)
    parts = [
        to_uint8(pipeline.vae(from_uint8(torch.from_numpy(view.image[None].copy()))).sample)
        for view in cut.views()
    ]
    return cut.composed([part[0].numpy() for part in parts])
