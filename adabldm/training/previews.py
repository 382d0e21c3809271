"""Pictures of what a model in training does: reconstructions, and pairs on unseen good pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from diffusers import AutoencoderKL

from adabldm.core import random_streams
from adabldm.core.images import grid
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.foreground.features import EncoderFeatures
from adabldm.foreground.places import look
from adabldm.judging import likeness, pair
from adabldm.judging.options import JudgeOptions
from adabldm.judging.verdict import RealDistance
from adabldm.networks.autoencoder import from_uint8, to_uint8
from adabldm.pipeline import AdaBLDMOutput, AdaBLDMPipeline
from adabldm.placement import pasting
from adabldm.placement.canvas import canvas
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.sampling.options import FastOptions, ModeOptions
from adabldm.training.examples import Prompts

MODE = FastOptions()
"""How sample pairs are made."""
JUDGED = ("coverage", "agreement", "cl_dice", "real_distance")
"""Figures of the judge that are told of sample pairs."""
FROM_LOOKS = "looks_"
"""Before the names of figures of pairs that start from a real defect's look."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A pair to be looked at: uint8 ``image`` (S, S, 3) and ``trimap`` (S, S); ``look`` is the
    image with the real defect set down in it, ``real`` measures the distance to all of its
    type."""

    image: np.ndarray
    trimap: np.ndarray
    prompt: str
    look: np.ndarray
    real: RealDistance


def unseen_requests(
    objects: Sequence[ObjectFolder], prompts: Prompts, size: int, count: int, seed: int = 0
) -> list[Preview]:
    """Windows of good pictures of the evaluation side (of the training side where there are none)
    with real masks placed anew; objects and their types take turns. Those that fit nowhere are left
    out."""
    products = [ObjectPictures(folder, None) for folder in objects if folder.defects]
    real: dict[tuple[int, str], RealDistance] = {}
    requests = []
    for number in range(count):
        product = products[number % len(products)]
        folder = product.folder
        name = folder.defect_types[number // len(products) % len(folder.defect_types)]
        rng = random_streams.stream(seed, "preview", number)
        uris = folder.test_good or folder.good
        items = [item for item in folder.defects if item.defect == name]
        fit = product.draw_fit(rng, uris, items)
        if fit is None:
            continue
        good = product.good(fit.good)
        pasted, placed = pasting.paste(fit.where, good, *product.defect(fit.item))
        marks = product.trimap(placed, fit.good)
        view = canvas(good, marks, number, size, native=True, start=pasted).views()[0]
        kind = number % len(products), name
        real[kind] = real.get(kind) or _real_defects(product, items)
        requests.append(
            Preview(
                image=view.image,
                trimap=view.trimap,
                prompt=fit.item.caption or prompts(folder.name, name)[0],
                look=pasted if view.start is None else view.start,
                real=real[kind],
            )
        )
    return requests


def _real_defects(product: ObjectPictures, items: Sequence[DefectImage]) -> RealDistance:
    crops = [likeness.crop(*product.defect(item)) for item in items]
    groups = [item.group or f"picture {number}" for number, item in enumerate(items)]
    return likeness.RealDefects.of(
        crops, partial(look, features=EncoderFeatures()), groups
    ).distance


@torch.no_grad()
def reconstructions(
    vae: AutoencoderKL, pictures: Sequence[np.ndarray]
) -> tuple[dict[str, float], np.ndarray]:
    """PSNR in dB of the autoencoder, and the pictures, uint8 (S, S, 3), above what it makes."""
    everywhere = np.zeros(pictures[0].shape[:2], np.uint8)
    device = next(vae.parameters()).device
    made = []
    for picture in pictures:
        image = from_uint8(torch.from_numpy(picture[None].copy())).to(device)
        made.append(to_uint8(vae(image).sample)[0].cpu().numpy())
    found = [pair.background_psnr(m, p, everywhere) for m, p in zip(made, pictures, strict=True)]
    return {"unseen_psnr_db": float(np.mean(found))}, grid([pictures[:8], made[:8]])


@torch.no_grad()
def pairs(
    pipeline: AdaBLDMPipeline, requests: Sequence[Preview], options: ModeOptions = MODE
) -> tuple[dict[str, float], np.ndarray]:
    """Means of the judge's figures and the share ``accepted``, one candidate each, of pairs from
    noise and, after :data:`FROM_LOOKS`, of pairs from looks; and rows of good picture, trimap,
    both results."""
    noise = _drawn(pipeline, requests, [None] * len(requests), options)
    looks = _drawn(pipeline, requests, [one.look for one in requests], options)
    figures = _figures(noise)
    figures |= {f"{FROM_LOOKS}{name}": value for name, value in _figures(looks).items()}
    return figures, grid([noise.sources, noise.trimaps, noise.images, looks.images])


def _drawn(
    pipeline: AdaBLDMPipeline,
    requests: Sequence[Preview],
    starts: Sequence[np.ndarray | None],
    options: ModeOptions,
) -> AdaBLDMOutput:
    return pipeline(
        images=[one.image for one in requests],
        trimaps=[one.trimap for one in requests],
        prompts=[one.prompt for one in requests],
        seeds=list(range(len(requests))),
        options=options,
        judge=JudgeOptions(),
        real=[one.real for one in requests],
        starts=starts,
    )


def _figures(made: AdaBLDMOutput) -> dict[str, float]:
    told = {
        name: float(np.mean(found))
        for name in JUDGED
        if (found := [t.quality[name] for t in made.traces if name in t.quality])
    }
    return told | {"accepted": float(np.mean([reason is None for reason in made.reasons]))}
