"""Replay a recording of the authors' program and compare every quantity with it.

A recording is a folder with ``meta.json``, ``weights.safetensors``, ``unit.safetensors``,
``masks.safetensors`` and a ``<run>.safetensors`` for each run that the meta data names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.loaders.single_file_utils import (
    convert_controlnet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from safetensors.torch import load_file
from torch import nn

from adabldm.core import trimap
from adabldm.networks import ldm_checkpoint
from adabldm.networks.autoencoder import decode, encode, from_uint8, to_uint8
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling import keep_masks
from adabldm.sampling.blending import GoodImages
from adabldm.sampling.ddim import DDIMSchedule, cumulative_alphas, ddim_schedule, ddim_step
from adabldm.sampling.decoder_adaptation import adapt_decoder
from adabldm.sampling.exact import sample
from adabldm.sampling.noise import RecordedNoise
from adabldm.sampling.options import ExactOptions
from adabldm.sampling.predictor import NoisePredictor, TextEmbeddings
from adabldm.training.objectives import add_noise, epsilon_loss

Tensors = Mapping[str, torch.Tensor]

EXACT = 0.0
UNIT = 1e-5
ENCODE_MEAN = 2e-5
STEP_LATENT = 2e-3
FINAL = 1e-4
LEVELS = 1.0
LEVELS_SHARE = 1e-3
TRAINING_LOSS = 1e-6
GRADIENT = 1e-3
EARLY_LOSS, EARLY_STEPS = 2e-6, 20
# To step 100 rounding alone (attention kernel, thread count) moves a loss by up to 7e-6.
MIDDLE_LOSS, MIDDLE_STEPS = 2e-5, 100
LATE_LOSS = 2e-2
LATE_IMAGE = 2e-2


class RecordingFault(ValueError):
    """A folder that is not a whole recording; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of the table; ``relative`` differences are divided by the recorded magnitude."""

    quantity: str
    difference: float
    tolerance: float

    @property
    def ok(self) -> bool:
        return bool(self.difference <= self.tolerance)


def _difference(
    quantity: str, ours: torch.Tensor, theirs: torch.Tensor, tolerance: float
) -> Comparison:
    if ours.shape != theirs.shape:
        raise RecordingFault(
            f"{quantity}: ours is {tuple(ours.shape)}, recorded {tuple(theirs.shape)}"
        )
    difference = (ours.double() - theirs.double()).abs().max().item()
    # A value that is not a number must never pass.
    difference = difference if np.isfinite(difference) else float("inf")
    return Comparison(quantity=quantity, difference=difference, tolerance=tolerance)


def _relative(
    quantity: str, ours: torch.Tensor, theirs: torch.Tensor, tolerance: float
) -> Comparison:
    scale = theirs.double().abs().max().clamp_min(1e-30)
    return _difference(quantity, ours.double() / scale, theirs.double() / scale, tolerance)


def _levels(quantity: str, ours: torch.Tensor, theirs: torch.Tensor) -> Iterator[Comparison]:
    """uint8 images: how many levels apart, and on what share of the values."""
    yield _difference(f"{quantity}, levels", ours, theirs, LEVELS)
    share = (ours != theirs).double().mean().item()
    yield Comparison(quantity=f"{quantity}, share", difference=share, tolerance=LEVELS_SHARE)


@contextmanager
def _recorded_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _renamed(convert: Callable, config: Mapping, weights: Tensors, prefix: str) -> dict[str, str]:
    """The authors' name of every parameter, by diffusers' name, learned from the converter."""
    names = [key for key in weights if key.startswith(prefix)]
    marked = {key: torch.tensor([[float(i)]]) for i, key in enumerate(names)}
    converted = convert(marked, config)
    return {ours: names[int(mark.flatten()[0])] for ours, mark in converted.items()}


class Replay:
    """Loads a recording and yields the comparisons, part by part."""

    def __init__(self, folder: Path) -> None:
        for name in ("meta.json", "weights.safetensors"):
            if not (folder / name).exists():
                raise RecordingFault(f"{folder}: {name} does not exist")
        self.folder = folder
        self.meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
        self.weights = ldm_checkpoint.read_weights(folder / "weights.safetensors")
        self.pipeline = AdaBLDMPipeline.from_single_file(
            folder / "weights.safetensors",
            config=self.meta["config"],
            image_size=max(self.meta["image_hw"]),
        )
        self.vae, self.unet = self.pipeline.vae, self.pipeline.unet
        self.controlnet = self.pipeline.controlnet
        self.alphas_cumprod = cumulative_alphas(self.pipeline.scheduler)

    def _tensors(self, name: str) -> Tensors:
        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            raise RecordingFault(f"{self.folder}: {path.name} does not exist")
        return load_file(path)

    def comparisons(self) -> Iterator[Comparison]:
        """Every line of the table, in the order of the method."""
        with _recorded_threads(self.meta.get("threads", 1)):
            yield from self.mask_building()
            yield from self.unit_calls()
            for run in self.meta["runs"]:
                yield from self.generation(run)

    def mask_building(self) -> Iterator[Comparison]:
        """Trimap composition, latent masks and pixel masks of the recorded cases."""
        recorded = self._tensors("masks")
        for case in sorted({key.split("/")[0] for key in recorded}):
            own = {k.split("/", 1)[1]: v for k, v in recorded.items() if k.startswith(f"{case}/")}
            if "trimap_u8" not in own:
                continue
            defect, marks = own["pixel_mask_u8"], own["trimap_u8"][..., 0]
            composed = trimap.compose(defect.numpy(), own["object_mask_u8"].numpy())
            yield _difference(f"{case} trimap", torch.from_numpy(composed), marks, EXACT)
            keep = keep_masks.pixel_keep_mask(marks[None])
            yield _difference(f"{case} pixel keep-mask", keep, own["pixel_keep_mask"], EXACT)
            theirs = own["latent_keep_mask"]
            nearest = keep_masks.latent_keep_mask_nearest(defect[None], *theirs.shape[-2:])
            yield _difference(f"{case} latent keep-mask", nearest, theirs, EXACT)

    @torch.no_grad()
    def unit_calls(self) -> Iterator[Comparison]:
        """Single calls of the control branch, U-Net, autoencoder, a DDIM step, a training step."""
        unit = self._tensors("unit")
        x, t, hint = unit["x"], unit["t"], unit["hint"]
        embedding = self.controlnet.controlnet_cond_embedding(hint)
        yield _difference("control hint embedding", embedding, unit["hint_embedding"], UNIT)
        down, middle = self.controlnet(
            x, t, encoder_hidden_states=unit["ctx_empty"], controlnet_cond=hint, return_dict=False
        )
        residuals = [*down, middle]
        for index, residual in enumerate(residuals):
            name = f"control_out/{index:02d}"
            yield _difference(name, residual, unit[name], UNIT)
        yield from self._noise_predictions(unit, residuals)
        yield from self._autoencoder(unit)
        yield from self._ddim_steps(unit)
        if "train/loss" in unit:
            yield from self._training_step(unit)

    def _noise_predictions(self, unit: Tensors, residuals: list) -> Iterator[Comparison]:
        def predict(context: str, control: list | None) -> torch.Tensor:
            return self.unet(
                unit["x"],
                unit["t"],
                encoder_hidden_states=unit[context],
                down_block_additional_residuals=control[:-1] if control else None,
                mid_block_additional_residual=control[-1] if control else None,
                return_dict=False,
            )[0]

        yield _difference("eps_cond", predict("ctx_prompt", residuals), unit["eps_cond"], UNIT)
        negative = predict("ctx_negative", residuals)
        yield _difference("eps_uncond", negative, unit["eps_uncond"], UNIT)
        if "eps_cond_nocontrol" in unit:
            alone = predict("ctx_prompt", None)
            yield _difference("eps_cond_nocontrol", alone, unit["eps_cond_nocontrol"], UNIT)
        for name in unit:
            if match := re.fullmatch(r"eps_cond_scaled_([\d.]+)x([\d.]+)", name):
                strength, decay = float(match[1]), float(match[2])
                last = len(residuals) - 1
                scaled = [r * strength * decay ** (last - i) for i, r in enumerate(residuals)]
                yield _difference(name, predict("ctx_prompt", scaled), unit[name], UNIT)

    def _autoencoder(self, unit: Tensors) -> Iterator[Comparison]:
        posterior = self.vae.encode(unit["vae/image"]).latent_dist
        yield _difference("vae mean", posterior.mean, unit["vae/mean"], ENCODE_MEAN)
        yield _difference("vae std", posterior.std, unit["vae/std"], UNIT)
        decoded = decode(self.vae, unit["vae/scaled_latent"])
        yield _difference("vae decode", decoded, unit["vae/decode_first_stage"], UNIT)

    def _ddim_steps(self, unit: Tensors) -> Iterator[Comparison]:
        for name in unit:
            match = re.fullmatch(r"(ddim_eta([\d.]+)_idx(\d+)_of_(\d+))/x_prev", name)
            if match is None:
                continue
            key, eta, index, steps = match[1], float(match[2]), int(match[3]), int(match[4])
            schedule = ddim_schedule(self.alphas_cumprod, steps, eta)
            step = len(schedule) - 1 - index
            alpha = schedule.alphas[step]
            # The step's own noise prediction is not recorded; its x0_hat determines it.
            x0_hat = unit[f"{key}/pred_x0"].double()
            eps = ((unit["x"].double() - alpha**0.5 * x0_hat) / (1 - alpha) ** 0.5).float()
            previous, _ = ddim_step(schedule, step, unit["x"], eps, unit[f"{key}/noise"])
            yield _difference(key, previous, unit[name], UNIT)

    def _training_step(self, unit: Tensors) -> Iterator[Comparison]:
        noise, t = unit["train/noise"], unit["train/t"]
        noised = add_noise(unit["train/z0"], noise, self.alphas_cumprod, t)
        self.controlnet.requires_grad_(True)
        with torch.enable_grad():
            down, middle = self.controlnet(
                noised,
                t,
                encoder_hidden_states=unit["ctx_empty"],
                controlnet_cond=unit["hint"],
                return_dict=False,
            )
            predicted = self.unet(
                noised,
                t,
                encoder_hidden_states=unit["ctx_prompt"],
                down_block_additional_residuals=down,
                mid_block_additional_residual=middle,
                return_dict=False,
            )[0]
            loss = epsilon_loss(predicted, noise)
            loss.backward()
        yield _difference("training loss", loss.detach(), unit["train/loss"], TRAINING_LOSS)
        names = _renamed(
            convert_controlnet_checkpoint, self.controlnet.config, self.weights, "control_model."
        )
        gradients = {names[k]: p.grad for k, p in self.controlnet.named_parameters()}
        for key in (k for k in unit if k.startswith("train/grad/")):
            ours = gradients[key.removeprefix("train/grad/")]
            label = f"gradient {key.removeprefix('train/grad/control_model.')} (relative)"
            yield _relative(label, ours.view_as(unit[key]), unit[key], GRADIENT)
        self.controlnet.zero_grad(set_to_none=True)
        self.controlnet.requires_grad_(False)

    def generation(self, run: str) -> Iterator[Comparison]:
        """A whole recorded generation: inputs, every step, final image, decoder adaptation."""
        facts, recorded = self.meta["runs"][run], self._tensors(run)
        yield from self._inputs(run, recorded)
        schedule = ddim_schedule(self.alphas_cumprod, facts["ddim_steps_asked"], facts["eta"])
        yield from self._schedule(run, schedule, recorded)
        good, final = yield from self._sampling(run, facts, recorded)
        with torch.no_grad():
            decoded = decode(self.vae, final)
        yield _difference(
            f"{run} decoded image", decoded, recorded["out/decoded_before_adapt"], FINAL
        )
        theirs = recorded["out/decoded_before_adapt_u8"]
        yield from _levels(f"{run} decoded image, 8 bits", to_uint8(decoded), theirs)
        yield from self._adaptation(run, facts, good, recorded)

    def _inputs(self, run: str, recorded: Tensors) -> Iterator[Comparison]:
        marks = recorded["in/trimap_u8"][..., 0]
        images = from_uint8(recorded["in/source_u8"])
        yield _difference(f"{run} image in [-1, 1]", images, recorded["in/x0"], 1e-6)
        hint = keep_masks.control_image(marks)
        yield _difference(f"{run} control image", hint, recorded["in/hint"], 1e-6)
        keep = keep_masks.pixel_keep_mask(marks)
        yield _difference(f"{run} pixel keep-mask", keep, recorded["in/pixel_keep_mask"], EXACT)
        theirs = recorded["in/latent_keep_mask"]
        defect = torch.where(marks == trimap.DEFECT, 255, 0)
        nearest = keep_masks.latent_keep_mask_nearest(defect, *theirs.shape[-2:])
        yield _difference(f"{run} latent keep-mask", nearest, theirs, EXACT)

    def _schedule(
        self, run: str, schedule: DDIMSchedule, recorded: Tensors
    ) -> Iterator[Comparison]:
        ours = {
            "ddim_timesteps": schedule.timesteps,
            "ddim_alphas": schedule.alphas,
            "ddim_alphas_prev": schedule.alphas_prev,
            "ddim_sigmas": schedule.sigmas,
        }
        for name, values in ours.items():
            ascending = torch.from_numpy(values[::-1].copy())
            yield _difference(f"{run} {name}", ascending, recorded[f"schedule/{name}"], 1e-7)

    @torch.no_grad()
    def _sampling(self, run: str, facts: Mapping, recorded: Tensors) -> Any:
        noise = RecordedNoise(recorded)
        images = recorded["in/x0"]
        mean = self.vae.encode(images).latent_dist.mean
        yield _difference(
            f"{run} encode mean", mean, recorded["trace/init_encode_mean"], ENCODE_MEAN
        )
        latents = encode(self.vae, images, noise.draw("init_encode_posterior", None, mean.shape))
        yield _difference(f"{run} encode z", latents, recorded["trace/init_encode_z"], ENCODE_MEAN)
        good = GoodImages(
            images=images,
            latents=latents,
            pixel_keep=recorded["in/pixel_keep_mask"],
            latent_keep=recorded["in/latent_keep_mask"],
        )
        predictor = NoisePredictor(
            unet=self.unet,
            controlnet=self.controlnet,
            control_image=recorded["in/hint"],
            texts=TextEmbeddings(
                prompt=recorded["in/ctx_prompt"],
                negative=recorded["in/ctx_negative"],
                empty=recorded["in/ctx_empty"],
            ),
            guidance=facts["scale"],
        )
        worst: dict[str, Comparison] = {}

        def watch(quantity: str, step: int, ours: torch.Tensor) -> None:
            key = f"trace/{quantity}/step_{step:03d}"
            if key in recorded:
                found = _difference(
                    f"{run} {quantity}, worst step", ours, recorded[key], STEP_LATENT
                )
                if quantity not in worst or found.difference > worst[quantity].difference:
                    worst[quantity] = found

        options = _options(run, facts)
        final = sample(self.vae, predictor, good, self.alphas_cumprod, noise, options, watch=watch)
        yield from worst.values()
        yield _difference(f"{run} final latent", final, recorded["out/final_latent"], FINAL)
        return good, final

    def _adaptation(
        self, run: str, facts: Mapping, good: GoodImages, recorded: Tensors
    ) -> Iterator[Comparison]:
        gradients: dict[str, torch.Tensor] = {}
        snapshots: dict[int, torch.Tensor] = {}
        features = recorded["out/final_latent"]

        def watch(step: int, decoder: nn.Module) -> None:
            if step == 0:
                gradients.update(
                    {f"decoder.{k}": p.grad.clone() for k, p in decoder.named_parameters()
                     if p.grad is not None}
                )  # fmt: skip
            if f"adapt/image_after_{step:03d}" in recorded:
                with torch.no_grad():
                    unscaled = self.vae.post_quant_conv(features / self.vae.config.scaling_factor)
                    snapshots[step] = decoder(unscaled)

        adapted = adapt_decoder(
            self.vae,
            features,
            recorded["out/decoded_before_adapt"],
            good.images,
            good.pixel_keep,
            steps=facts["n_adapt"],
            rate=facts["optimizer_defaults"]["lr"],
            background_weight=100.0,
            watch=watch,
        )
        snapshots[facts["n_adapt"]] = adapted.image
        yield from self._adaptation_gradients(run, gradients, recorded)
        yield from _loss_curve(run, torch.tensor(adapted.losses), recorded["adapt/loss"])
        for step, image in sorted(snapshots.items()):
            key = f"adapt/image_after_{step:03d}"
            if key in recorded:
                tolerance = FINAL if step <= EARLY_STEPS else LATE_IMAGE
                label = f"{run} adapted image after {step} steps"
                yield _difference(label, image, recorded[key], tolerance)
        theirs = recorded["adapt/image_final_u8"]
        if facts["n_adapt"] <= EARLY_STEPS:
            yield from _levels(f"{run} adapted image, 8 bits", to_uint8(adapted.image), theirs)

    def _adaptation_gradients(
        self, run: str, gradients: Tensors, recorded: Tensors
    ) -> Iterator[Comparison]:
        names = _renamed(
            convert_ldm_vae_checkpoint, self.vae.config, self.weights, "first_stage_model."
        )
        ours = {names[k].removeprefix("first_stage_model."): g for k, g in gradients.items()}
        for key in (k for k in recorded if k.startswith("adapt/grad0/")):
            name = key.removeprefix("adapt/grad0/")
            label = f"{run} adaptation gradient {name} (relative)"
            yield _relative(label, ours[name].view_as(recorded[key]), recorded[key], GRADIENT)


def _options(run: str, facts: Mapping) -> ExactOptions:
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


def _loss_curve(run: str, ours: torch.Tensor, theirs: torch.Tensor) -> Iterator[Comparison]:
    """Relative difference of each loss: tight at first, loose where AdamW amplifies rounding."""
    if len(ours) != len(theirs):
        raise RecordingFault(f"{run}: adapt/loss has {len(theirs)} values, {len(ours)} were made")
    ratio = ours.double() / theirs.double() - 1
    parts = ((0, EARLY_STEPS, EARLY_LOSS), (EARLY_STEPS, MIDDLE_STEPS, MIDDLE_LOSS),
             (MIDDLE_STEPS, len(theirs), LATE_LOSS))  # fmt: skip
    for start, end, tolerance in parts:
        if start < len(theirs):
            label = f"{run} adaptation losses {start}..{min(end, len(theirs)) - 1} (relative)"
            part = ratio[start:end]
            yield _difference(label, part, torch.zeros_like(part), tolerance)


def replay(folder: Path) -> Iterator[Comparison]:
    """Compare with the recording in ``folder``. Raises :class:`RecordingFault`."""
    yield from Replay(folder).comparisons()
