"""A training step of the control branch against the recorded one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

from adabldm.parity.comparison import GRADIENT, TRAINING_LOSS, Comparison, difference, relative
from adabldm.parity.recording import Networks, Tensors, authors_names
from adabldm.training.objectives import DenoiserLoss


def training_step(networks: Networks, unit: Tensors) -> Iterator[Comparison]:
    """The loss that training runs (:class:`DenoiserLoss`, equation 2), and its gradients."""
    t = unit["train/t"]
    trimaps = (unit["hint"][:, 0] * 255).round().to(torch.uint8)
    losses_of = DenoiserLoss(
        networks.unet, networks.controlnet, networks.alphas_cumprod, factor=networks.factor
    )
    networks.controlnet.requires_grad_(True)
    with torch.enable_grad():
        losses = losses_of(
            unit["train/z0"],
            unit["train/noise"],
            t,
            trimaps,
            unit["ctx_prompt"],
            unit["ctx_empty"],
            torch.ones(len(t)),
        )
        loss = losses.mean()
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
