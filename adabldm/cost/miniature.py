"""The method on networks of a few channels: which calls an image takes, in a second.

How often each part is called follows from the options alone, so a model of any size takes the same
calls as this one.
"""

from __future__ import annotations

from collections import Counter

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel

from adabldm.core import trimap
from adabldm.cost.arithmetic import counted_calls
from adabldm.data import drawn_metal
from adabldm.networks import small
from adabldm.networks.ldm_checkpoint import authors_scheduler
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import ModeOptions

SIDE, CHANNELS = 16, (8, 8)


def miniature() -> AdaBLDMPipeline:
    """A pipeline of 16 x 16 pixels with weights as they are drawn."""
    unet = UNet2DConditionModel(
        sample_size=SIDE // 2,
        block_out_channels=CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=small.TEXT_WIDTH,
        attention_head_dim=8,
    )
    vae = AutoencoderKL(
        block_out_channels=CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=SIDE,
    )
    tokenizer = small.build_tokenizer(["crack"], merges=0)
    return AdaBLDMPipeline(
        vae=vae,
        unet=unet,
        controlnet=ControlNetModel.from_unet(
            unet, conditioning_embedding_out_channels=(8, 8), load_weights_from_unet=False
        ),
        text_encoder=small.build_text_encoder(tokenizer),
        tokenizer=tokenizer,
        scheduler=authors_scheduler(),
        image_size=SIDE,
    )


def calls_of(options: ModeOptions) -> Counter[str]:
    """How often one image calls each of :data:`adabldm.cost.arithmetic.PARTS`."""
    with torch.random.fork_rng():
        pipeline = miniature()
    part = drawn_metal.draw_part(0, 4 * SIDE, "blowhole")
    with counted_calls(pipeline, options) as calls:
        pipeline(
            images=[part.image],
            trimaps=[trimap.compose(part.mask)],
            prompts=["a crack"],
            seeds=[0],
            options=options,
        )
    return calls
