"""Online decoder adaptation against a recorded run's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from torch import nn

from adabldm.networks.autoencoder import decoder_input, to_uint8
from adabldm.parity.comparison import (
    EARLY_LOSS,
    EARLY_STEPS,
    FINAL,
    GRADIENT,
    LATE_IMAGE,
    LATE_LOSS,
    MIDDLE_LOSS,
    MIDDLE_STEPS,
    Comparison,
    difference,
    levels,
    relative,
)
from adabldm.parity.recording import Networks, RecordingFault, Tensors, authors_names
from adabldm.sampling.blending import GoodImages
from adabldm.sampling.decoder_adaptation import adapt_decoder
from adabldm.sampling.options import ExactOptions


def adaptation(
    networks: Networks, run: str, options: ExactOptions, good: GoodImages, recorded: Tensors
) -> Iterator[Comparison]:
    """Stage 3 as the authors ran it, one decoder for the batch: gradients, losses, snapshots."""
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
                snapshots[step] = decoder(decoder_input(networks.vae, features))

    adapted = adapt_decoder(
        networks.vae,
        features,
        recorded["out/decoded_before_adapt"],
        good.images,
        good.pixel_keep,
        steps=options.adaptation_steps,
        rate=options.adaptation_rate,
        background_weight=options.background_weight,
        watch=watch,
    )
    snapshots[options.adaptation_steps] = adapted.image
    yield from _gradients(networks, run, gradients, recorded)
    yield from _loss_curve(run, torch.tensor(adapted.losses), recorded["adapt/loss"])
    for step, image in sorted(snapshots.items()):
        key = f"adapt/image_after_{step:03d}"
        if key in recorded:
            tolerance = FINAL if step <= EARLY_STEPS else LATE_IMAGE
            label = f"{run} adapted image after {step} steps"
            yield difference(label, image, recorded[key], tolerance)
    theirs = recorded["adapt/image_final_u8"]
    if options.adaptation_steps <= EARLY_STEPS:
        yield from levels(f"{run} adapted image, 8 bits", to_uint8(adapted.image), theirs)


def _gradients(
    networks: Networks, run: str, gradients: Mapping[str, torch.Tensor], recorded: Tensors
) -> Iterator[Comparison]:
    names = authors_names(
        convert_ldm_vae_checkpoint, networks.vae.config, networks.weights, "first_stage_model."
    )
    ours = {names[k].removeprefix("first_stage_model."): g for k, g in gradients.items()}
    for key in (k for k in recorded if k.startswith("adapt/grad0/")):
        name = key.removeprefix("adapt/grad0/")
        label = f"{run} adaptation gradient {name} (relative)"
        yield relative(label, ours[name].view_as(recorded[key]), recorded[key], GRADIENT)


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
            yield difference(label, part, torch.zeros_like(part), tolerance)
