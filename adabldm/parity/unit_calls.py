"""Single calls of the networks and single steps against the recorded ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from adabldm.networks.autoencoder import decode
from adabldm.parity.comparison import ENCODE_MEAN, UNIT, Comparison, difference
from adabldm.parity.recording import TRAINING_STEP, Networks, Tensors
from adabldm.parity.training_step import training_step
from adabldm.sampling.ddim import ddim_schedule, ddim_step

LAST_RESIDUAL = 12
"""The last one's index in Stable Diffusion's control branch, which the authors' scales count from
in a branch of any depth."""


def scaled_residuals(
    residuals: Sequence[torch.Tensor], strength: float, decay: float
) -> list[torch.Tensor]:
    """Control scales of the authors' program: residual i times strength * decay ** (12 - i)."""
    return [r * strength * decay ** (LAST_RESIDUAL - i) for i, r in enumerate(residuals)]


@torch.no_grad()
def unit_calls(networks: Networks, unit: Tensors) -> Iterator[Comparison]:
    """Single calls of the control branch, U-Net, autoencoder, a DDIM step, a training step."""
    x, t, hint = unit["x"], unit["t"], unit["hint"]
    embedding = networks.controlnet.controlnet_cond_embedding(hint)
    yield difference("control hint embedding", embedding, unit["hint_embedding"], UNIT)
    down, middle = networks.controlnet(
        x, t, encoder_hidden_states=unit["ctx_empty"], controlnet_cond=hint, return_dict=False
    )
    residuals = [*down, middle]
    for index, residual in enumerate(residuals):
        name = f"control_out/{index:02d}"
        yield difference(name, residual, unit[name], UNIT)
    yield from noise_predictions(networks.unet, unit, residuals)
    yield from _autoencoder(networks.vae, unit)
    yield from _ddim_steps(networks.alphas_cumprod, unit)
    if TRAINING_STEP in unit:
        yield from training_step(networks, unit)


def noise_predictions(
    unet: UNet2DConditionModel, unit: Tensors, residuals: list[torch.Tensor]
) -> Iterator[Comparison]:
    """The U-Net's, with the control branch's ``residuals``, without them, and with them scaled."""

    def predict(context: str, control: list[torch.Tensor] | None) -> torch.Tensor:
        return unet(
            unit["x"],
            unit["t"],
            encoder_hidden_states=unit[context],
            down_block_additional_residuals=control[:-1] if control else None,
            mid_block_additional_residual=control[-1] if control else None,
            return_dict=False,
        )[0]

    yield difference("eps_cond", predict("ctx_prompt", residuals), unit["eps_cond"], UNIT)
    negative = predict("ctx_negative", residuals)
    yield difference("eps_uncond", negative, unit["eps_uncond"], UNIT)
    if "eps_cond_nocontrol" in unit:
        alone = predict("ctx_prompt", None)
        yield difference("eps_cond_nocontrol", alone, unit["eps_cond_nocontrol"], UNIT)
    for name in unit:
        if match := re.fullmatch(r"eps_cond_scaled_([\d.]+)x([\d.]+)", name):
            strength, decay = float(match[1]), float(match[2])
            scaled = scaled_residuals(residuals, strength, decay)
            yield difference(name, predict("ctx_prompt", scaled), unit[name], UNIT)


def _autoencoder(vae: AutoencoderKL, unit: Tensors) -> Iterator[Comparison]:
    posterior = vae.encode(unit["vae/image"]).latent_dist
    yield difference("vae mean", posterior.mean, unit["vae/mean"], ENCODE_MEAN)
    yield difference("vae std", posterior.std, unit["vae/std"], UNIT)
    decoded = decode(vae, unit["vae/scaled_latent"])
    yield difference("vae decode", decoded, unit["vae/decode_first_stage"], UNIT)


def _ddim_steps(alphas_cumprod: torch.Tensor, unit: Tensors) -> Iterator[Comparison]:
    for name in unit:
        match = re.fullmatch(r"(ddim_eta([\d.]+)_idx(\d+)_of_(\d+))/x_prev", name)
        if match is None:
            continue
        key, eta, index, steps = match[1], float(match[2]), int(match[3]), int(match[4])
        schedule = ddim_schedule(alphas_cumprod, steps, eta)
        step = len(schedule) - 1 - index
        alpha = schedule.alphas[step]
        # The step's own noise prediction is not recorded; its x0_hat determines it.
        x0_hat = unit[f"{key}/pred_x0"].double()
        eps = ((unit["x"].double() - alpha**0.5 * x0_hat) / (1 - alpha) ** 0.5).float()
        previous, _ = ddim_step(schedule, step, unit["x"], eps, unit[f"{key}/noise"])
        yield difference(key, previous, unit[name], UNIT)
