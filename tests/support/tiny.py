"""A pipeline of the real architecture, random weights, small enough to run in a second."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel

from adabldm.core import trimap
from adabldm.data import drawn_metal
from adabldm.networks import small
from adabldm.networks.ldm_checkpoint import authors_scheduler
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import ExactOptions

SIDE = 64
FEW_STEPS = ExactOptions(steps=5, adaptation_steps=3, adaptation_rate=1e-3, resolution="model")


def tiny_pipeline(seed: int = 0) -> AdaBLDMPipeline:
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=small.TEXT_WIDTH,
        attention_head_dim=2,
    )
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 8))
    with torch.no_grad():  # zero convolutions would hide whether the control branch is used
        for name, parameter in controlnet.named_parameters():
            if not parameter.any():
                parameter.normal_(std=0.1 if name.endswith("weight") else 0.01)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=SIDE,
    )
    tokenizer = small.build_tokenizer(["a metal surface with a crack"] * 8, merges=20)
    return AdaBLDMPipeline(
        vae=vae,
        unet=unet,
        controlnet=controlnet,
        text_encoder=small.build_text_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=authors_scheduler(),
        image_size=SIDE,
    )


def requests(count: int, side: int = 80) -> dict[str, list]:
    """Arguments of a pipeline call: drawn surfaces with a mask of a drawn crack."""
    parts = [drawn_metal.draw_part(index, side, "crack") for index in range(count)]
    return {
        "images": [drawn_metal.draw_part(index, side).image for index in range(count)],
        "trimaps": [trimap.compose(part.mask) for part in parts],
        "prompts": [f"a metal surface with a crack {index}" for index in range(count)],
        "seeds": list(range(10, 10 + count)),
    }


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
