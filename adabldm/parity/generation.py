"""A whole generation against a recorded run: inputs, every step, the image, decoder adaptation."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

import torch

from adabldm.core import trimap
from adabldm.networks.autoencoder import decode, encode, from_uint8, to_uint8
from adabldm.parity.adaptation import adaptation
from adabldm.parity.comparison import (
    ENCODE_MEAN,
    EXACT,
    FINAL,
    STEP_LATENT,
    Comparison,
    difference,
    levels,
)
from adabldm.parity.recording import Networks, RecordingFault, Tensors
from adabldm.sampling import keep_masks
from adabldm.sampling.blending import GoodImages
from adabldm.sampling.ddim import DDIMSchedule, ddim_schedule
from adabldm.sampling.exact import sample
from adabldm.sampling.noise import RecordedNoise
from adabldm.sampling.options import ExactOptions
from adabldm.sampling.predictor import NoisePredictor, TextEmbeddings


def generation(
    networks: Networks, run: str, facts: Mapping[str, Any], recorded: Tensors
) -> Iterator[Comparison]:
    """A whole recorded generation: inputs, every step, final image, decoder adaptation."""
    yield from _inputs(run, recorded)
    options = _options(run, facts)
    schedule = ddim_schedule(networks.alphas_cumprod, options.steps, options.eta)
    yield from _schedule(run, schedule, recorded)
    good, final = yield from _sampling(networks, run, options, recorded)
    with torch.no_grad():
        decoded = decode(networks.vae, final)
    yield difference(f"{run} decoded image", decoded, recorded["out/decoded_before_adapt"], FINAL)
    theirs = recorded["out/decoded_before_adapt_u8"]
    yield from levels(f"{run} decoded image, 8 bits", to_uint8(decoded), theirs)
    yield from adaptation(networks, run, options, good, recorded)


def _inputs(run: str, recorded: Tensors) -> Iterator[Comparison]:
    marks = recorded["in/trimap_u8"][..., 0]
    images = from_uint8(recorded["in/source_u8"])
    yield difference(f"{run} image in [-1, 1]", images, recorded["in/x0"], 1e-6)
    hint = keep_masks.control_image(marks)
    yield difference(f"{run} control image", hint, recorded["in/hint"], 1e-6)
    keep = keep_masks.pixel_keep_mask(marks)
    yield difference(f"{run} pixel keep-mask", keep, recorded["in/pixel_keep_mask"], EXACT)
    theirs = recorded["in/latent_keep_mask"]
    defect = torch.where(marks == trimap.DEFECT, 255, 0)
    nearest = keep_masks.latent_keep_mask_nearest(defect, *theirs.shape[-2:])
    yield difference(f"{run} latent keep-mask", nearest, theirs, EXACT)


def _schedule(run: str, schedule: DDIMSchedule, recorded: Tensors) -> Iterator[Comparison]:
    ours = {
        "ddim_timesteps": schedule.timesteps,
        "ddim_alphas": schedule.alphas,
        "ddim_alphas_prev": schedule.alphas_prev,
        "ddim_sigmas": schedule.sigmas,
    }
    for name, values in ours.items():
        ascending = torch.from_numpy(values[::-1].copy())
        yield difference(f"{run} {name}", ascending, recorded[f"schedule/{name}"], 1e-7)


@torch.no_grad()
def _sampling(
    networks: Networks, run: str, options: ExactOptions, recorded: Tensors
) -> Generator[Comparison, None, tuple[GoodImages, torch.Tensor]]:
    noise = RecordedNoise(recorded)
    images = recorded["in/x0"]
    mean = networks.vae.encode(images).latent_dist.mean
    yield difference(f"{run} encode mean", mean, recorded["trace/init_encode_mean"], ENCODE_MEAN)
    latents = encode(networks.vae, images, noise.draw("init_encode_posterior", None, mean.shape))
    yield difference(f"{run} encode z", latents, recorded["trace/init_encode_z"], ENCODE_MEAN)
    good = GoodImages(
        images=images,
        latents=latents,
        pixel_keep=recorded["in/pixel_keep_mask"],
        latent_keep=recorded["in/latent_keep_mask"],
    )
    predictor = NoisePredictor(
        unet=networks.unet,
        controlnet=networks.controlnet,
        control_image=recorded["in/hint"],
        texts=TextEmbeddings(
            prompt=recorded["in/ctx_prompt"],
            negative=recorded["in/ctx_negative"],
            empty=recorded["in/ctx_empty"],
        ),
        guidance=options.guidance,
    )
    worst: dict[str, Comparison] = {}

    def watch(quantity: str, step: int, ours: torch.Tensor) -> None:
        key = f"trace/{quantity}/step_{step:03d}"
        if key in recorded:
            found = difference(f"{run} {quantity}, worst step", ours, recorded[key], STEP_LATENT)
            if quantity not in worst or found.difference > worst[quantity].difference:
                worst[quantity] = found

    alphas_cumprod = networks.alphas_cumprod
    final = sample(networks.vae, predictor, good, alphas_cumprod, noise, options, watch)
    yield from worst.values()
    yield difference(f"{run} final latent", final, recorded["out/final_latent"], FINAL)
    return good, final


def _options(run: str, facts: Mapping[str, Any]) -> ExactOptions:
    """The stages as the authors' program ran them: latent editing at ``cutoff - 20 < i <= cutoff``,
    image editing from ``cutoff`` on."""
    cutoff = facts["cutoff_index"]
    try:
        return ExactOptions(
            steps=facts["ddim_steps_asked"],
            eta=facts["eta"],
            guidance=facts["scale"],
            latent_editing_start=max(0, cutoff - 19),
            image_editing_start=cutoff,
            adaptation_steps=facts["n_adapt"],
            adaptation_rate=facts["optimizer_defaults"]["lr"],
        )
    except ValueError as error:
        raise RecordingFault(f"{run}: {error}") from error
