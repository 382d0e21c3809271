"""Pictures of what a model in training does: reconstructions, and pairs on unseen good pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL

from adabldm.core import random_streams
from adabldm.core.images import grid
from adabldm.core.objects import ObjectFolder
from adabldm.judging import pair
from adabldm.judging.options import JudgeOptions
from adabldm.networks.autoencoder import from_uint8, to_uint8
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.placement import transform
from adabldm.placement.canvas import canvas
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.sampling.options import FastOptions, ModeOptions
from adabldm.training.examples import Prompts

MODE = FastOptions()
"""How sample pairs are made."""
JUDGED = ("coverage", "agreement", "cl_dice")
"""Figures of the judge that are told of sample pairs."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A pair to be looked at: uint8 ``image`` (S, S, 3) and ``trimap`` (S, S)."""

    image: np.ndarray
    trimap: np.ndarray
    prompt: str


def unseen_requests(
    objects: Sequence[ObjectFolder], prompts: Prompts, size: int, count: int, seed: int = 0
) -> list[Preview]:
    """Windows of good pictures of the evaluation side (of the training side where there are none)
    with real masks placed anew; objects and their types take turns. Those that fit nowhere are left
    out."""
    products = [ObjectPictures(folder, None) for folder in objects if folder.defects]
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
        placed = transform.render(product.defect(fit.item)[1], fit.where, *good.shape[:2])
        marks = product.trimap(placed, fit.good)
        view = canvas(good, marks, number, size, native=True).views()[0]
        requests.append(
            Preview(
                image=view.image,
                trimap=view.trimap,
                prompt=fit.item.caption or prompts(folder.name, name)[0],
            )
        )
    return requests


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
    """Means of the judge's figures and the share ``accepted``, one candidate each; and rows of good
    picture, trimap, result."""
    made = pipeline(
        images=[one.image for one in requests],
        trimaps=[one.trimap for one in requests],
        prompts=[one.prompt for one in requests],
        seeds=list(range(len(requests))),
        options=options,
        judge=JudgeOptions(),
    )
    told = {
        name: float(np.mean(found))
        for name in JUDGED
        if (found := [t.quality[name] for t in made.traces if name in t.quality])
    }
    told["accepted"] = float(np.mean([reason is None for reason in made.reasons]))
    return told, grid([made.sources, made.trimaps, made.images])
