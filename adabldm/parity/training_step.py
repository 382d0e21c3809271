"""A training step of the control branch against the recorded one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

from adabldm.parity.comparison import GRADIENT, TRAINING_LOSS, Comparison, difference, relative
from adabldm.parity.recording import Networks, Tensors, authors_names
from adabldm.training.objectives import add_noise, epsilon_loss


def training_step(networks: Networks, unit: Tensors) -> Iterator[Comparison]:
    """The loss (equation 2) and gradients of the control branch."""
    noise, t = unit["train/noise"], unit["train/t"]
    noised = add_noise(unit["train/z0"], noise, networks.alphas_cumprod, t)
    networks.controlnet.requires_grad_(True)
    with torch.enable_grad():
        down, middle = networks.controlnet(
            noised,
            t,
            encoder_hidden_states=unit["ctx_empty"],
            controlnet_cond=unit["hint"],
            return_dict=False,
        )
        predicted = networks.unet(
            noised,
            t,
            encoder_hidden_states=unit["ctx_prompt"],
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        loss = epsilon_loss(predicted, noise)
        loss.backward()
    yield difference("training loss", loss.detach(), unit["train/loss"], TRAINING_LOSS)
    names = authors_names(
        convert_controlnet_checkpoint,
        networks.controlnet.config,
        networks.weights,
        "control_model.",
    )
    gradients = {names[k]: p.grad for k, p in networks.controlnet.named_parameters()}
    for key in (k for k in unit if k.startswith("train/grad/")):
        ours = gradients[key.removeprefix("train/grad/")]
        label = f"gradient {key.removeprefix('train/grad/control_model.')} (relative)"
        yield relative(label, ours.view_as(unit[key]), unit[key], GRADIENT)
    networks.controlnet.zero_grad(set_to_none=True)
    networks.controlnet.requires_grad_(False)
