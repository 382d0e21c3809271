"""The architecture of Stable Diffusion 1.5, without its weights."""

from __future__ import annotations

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

TEXT_LENGTH = 77
TEXT_WIDTH = 768


def build_unet(side: int = 512) -> UNet2DConditionModel:
    """859.5 M parameters; ``side`` is the pictures' in pixels."""
    return UNet2DConditionModel(
        sample_size=side // 8, cross_attention_dim=TEXT_WIDTH, attention_head_dim=8
    )


def build_autoencoder(side: int = 512) -> AutoencoderKL:
    """8x down, 4 latent channels, 83.7 M parameters."""
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=side,
    )


def build_text_encoder() -> CLIPTextModel:
    """CLIP ViT-L/14's text half, 123.1 M parameters."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=TEXT_WIDTH,
            intermediate_size=4 * TEXT_WIDTH,
            num_hidden_layers=12,
            num_attention_heads=12,
            max_position_embeddings=TEXT_LENGTH,
            hidden_act="quick_gelu",
            projection_dim=768,
        )
    )
