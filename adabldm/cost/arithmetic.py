"""How much arithmetic an image costs: calls that the code really makes, times what one call costs.

Convolutions and matrix products are counted by torch's own counter (a multiply-add is two); a
backward pass is counted, not guessed. Calls are counted by hooks while a pipeline makes an image,
so they follow from the options and not from this file. The correction in closed form has neither
convolutions nor matrix products: there every element of every result counts as one operation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from adabldm.loading import HINT_CHANNELS
from adabldm.networks import sd15
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.closed_form import smooth_correction
from adabldm.sampling.options import ModeOptions

UNET, CONTROL, ENCODER, DECODER = "U-Net", "control branch", "encoder", "decoder"
TRAINING, CORRECTION = "decoder training step", "correction"
PARTS = (UNET, CONTROL, ENCODER, DECODER, TRAINING, CORRECTION)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The networks of a model and the side of its pictures in pixels."""

    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    vae: AutoencoderKL
    side: int

    @staticmethod
    def of(pipeline: AdaBLDMPipeline) -> Parts:
        return Parts(
            unet=pipeline.unet,
            controlnet=pipeline.controlnet,
            vae=pipeline.vae,
            side=pipeline.image_size,
        )


def stable_diffusion(side: int = 256, device: str = "meta") -> Parts:
    """Networks of Stable Diffusion 1.5's shape; on ``meta`` without weights."""
    with torch.device(device):
        unet, vae = sd15.build_unet(side), sd15.build_autoencoder(side)
        controlnet = ControlNetModel.from_unet(
            unet,
            conditioning_embedding_out_channels=HINT_CHANNELS,
            load_weights_from_unet=False,
        )
    return Parts(unet=unet, controlnet=controlnet, vae=vae, side=side)


def flops(run: Callable[[], Any]) -> int:
    """Operations of the convolutions and matrix products in ``run``."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


class _Elements(TorchDispatchMode):
    """Counts the elements of all results."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.count += result.numel()
        return result


def cost_of_calls(parts: Parts, options: ModeOptions) -> dict[str, int]:
    """Operations of one call of each part, for one image; nothing is computed."""

    def meta(*shape: int) -> torch.Tensor:
        return torch.empty(shape, device="meta")

    unet, controlnet, vae = _shapes(parts)
    cells = parts.side // 2 ** (len(vae.config.block_out_channels) - 1)
    z, image = meta(1, vae.config.latent_channels, cells, cells), meta(1, 3, parts.side, parts.side)
    context = meta(1, sd15.TEXT_LENGTH, unet.config.cross_attention_dim)
    with torch.no_grad():
        costs = {
            UNET: flops(lambda: unet(z, 1, context)),
            CONTROL: flops(lambda: controlnet(z, 1, context, controlnet_cond=image)),
            ENCODER: flops(lambda: vae.encode(image)),
            DECODER: flops(lambda: vae.decode(z)),
        }
    vae.decoder.requires_grad_(True)
    costs[TRAINING] = flops(lambda: vae.decoder(z).sum().backward())
    costs[CORRECTION] = 0
    if options.smoothness is not None:
        costs[CORRECTION] = correction_cost(
            parts.side, options.background_weight, options.smoothness
        )
    return costs


def _shapes(parts: Parts) -> list[Any]:
    """The networks without their weights."""
    with torch.device("meta"):
        return [
            type(one).from_config(one.config) for one in (parts.unet, parts.controlnet, parts.vae)
        ]


def correction_cost(side: int, background_weight: float, smoothness: float) -> int:
    """Elements of all intermediate results of the correction of one image."""
    image, keep = (torch.empty(1, c, side, side, device="meta") for c in (3, 1))
    with _Elements() as elements:
        smooth_correction(
            image,
            image,
            image,
            keep,
            background_weight=background_weight,
            smoothness=smoothness,
        )
    return elements.count


@contextmanager
def counted_calls(pipeline: AdaBLDMPipeline, options: ModeOptions) -> Iterator[Counter[str]]:
    """Counts, while ``pipeline`` makes one image with ``options``, how many images each part works
    on. A decoder copy that is being trained counts as a training step.
    """
    calls: Counter[str] = Counter()
    calls[CORRECTION] = int(options.smoothness is not None)

    def counting(part: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            del module
            calls[TRAINING if torch.is_grad_enabled() else part] += len(inputs[0])

        return hook

    vae = pipeline.vae
    networks = {
        UNET: pipeline.unet,
        CONTROL: pipeline.controlnet,
        ENCODER: vae.encoder,
        DECODER: vae.decoder,
    }
    handles = [one.register_forward_pre_hook(counting(part)) for part, one in networks.items()]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def work(calls: Counter[str], costs: dict[str, int]) -> dict[str, float]:
    """GFLOP of an image by part."""
    return {part: calls[part] * costs[part] / 1e9 for part in PARTS}
