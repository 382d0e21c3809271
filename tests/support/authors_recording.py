"""A small recording in the layout of the authors' program, of a U-Net of as many levels as asked.

It holds single calls only, made here with diffusers' networks: no masks, no runs, no training.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn

CHANNELS, HEADS, WIDTH, BLOCKS = 32, 2, 16, 2
STRENGTH, DECAY = 0.7, 0.825

Rules = Mapping[str, str]
RESNET: Rules = {
    r"\.norm1\.": ".in_layers.0.",
    r"\.conv1\.": ".in_layers.2.",
    r"\.time_emb_proj\.": ".emb_layers.1.",
    r"\.norm2\.": ".out_layers.0.",
    r"\.conv2\.": ".out_layers.3.",
    r"\.conv_shortcut\.": ".skip_connection.",
}
ENDS: Rules = {
    r"^time_embedding\.linear_1": "time_embed.0",
    r"^time_embedding\.linear_2": "time_embed.2",
    r"^conv_in": "input_blocks.0.0",
    r"^conv_norm_out": "out.0",
    r"^conv_out": "out.2",
    r"^mid_block\.resnets\.0": "middle_block.0",
    r"^mid_block\.attentions\.0": "middle_block.1",
    r"^mid_block\.resnets\.1": "middle_block.2",
    r"^controlnet_cond_embedding\.conv_in": "input_hint_block.0",
    r"^controlnet_cond_embedding\.conv_out": "input_hint_block.14",
    r"^controlnet_down_blocks\.(\d+)": r"zero_convs.\1.0",
    r"^controlnet_mid_block": "middle_block_out.0",
}
AUTOENCODER: Rules = {
    r"\.down_blocks\.0\.resnets\.": ".down.0.block.",
    r"\.up_blocks\.0\.resnets\.": ".up.0.block.",
    r"mid_block\.resnets\.0": "mid.block_1",
    r"mid_block\.resnets\.1": "mid.block_2",
    r"mid_block\.attentions\.0": "mid.attn_1",
    r"group_norm": "norm",
    r"attn_1\.to_out\.0": "attn_1.proj_out",
    r"attn_1\.to_([qkv])": r"attn_1.\1",
    r"conv_norm_out": "norm_out",
}


def _renamed(name: str, rules: Rules) -> str:
    for pattern, replacement in rules.items():
        name = re.sub(pattern, replacement, name)
    return name


def _unet_name(name: str) -> str:
    """The authors' name of a parameter of the U-Net or the control branch."""
    each = BLOCKS + 1
    if found := re.match(r"down_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name):
        level, kind, layer, rest = int(found[1]), found[2], int(found[3]), found[4]
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * each}.0.op.{rest.removeprefix('conv.')}"
        name = f"input_blocks.{1 + level * each + layer}.{int(kind == 'attentions')}.{rest}"
    elif found := re.match(r"up_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name):
        level, kind, layer, rest = int(found[1]), found[2], int(found[3]), found[4]
        if kind == "upsamplers":
            return f"output_blocks.{level * each + BLOCKS}.2.{rest}"
        name = f"output_blocks.{level * each + layer}.{int(kind == 'attentions')}.{rest}"
    elif found := re.match(r"controlnet_cond_embedding\.blocks\.(\d+)\.(.*)", name):
        return f"input_hint_block.{2 * (int(found[1]) + 1)}.{found[2]}"
    name = _renamed(name, ENDS)
    return name if "transformer_blocks" in name else _renamed(name, RESNET)


def _weights(unet: nn.Module, controlnet: nn.Module, vae: nn.Module) -> dict[str, torch.Tensor]:
    named = {f"model.diffusion_model.{_unet_name(k)}": v for k, v in unet.state_dict().items()}
    named |= {f"control_model.{_unet_name(k)}": v for k, v in controlnet.state_dict().items()}
    named |= {
        f"first_stage_model.{_renamed(k, AUTOENCODER)}": v for k, v in vae.state_dict().items()
    }
    return {name: value.contiguous() for name, value in named.items()}


def record(folder: Path, levels: int) -> Path:
    """Write a recording to ``folder``; the control branch has ``3 * levels + 1`` residuals."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=2**levels,
        block_out_channels=(CHANNELS,) * levels,
        down_block_types=("CrossAttnDownBlock2D",) * levels,
        up_block_types=("CrossAttnUpBlock2D",) * levels,
        layers_per_block=BLOCKS,
        cross_attention_dim=WIDTH,
        attention_head_dim=HEADS,
    )
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8,) * 4)
    for parameter in controlnet.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    vae = AutoencoderKL(block_out_channels=(CHANNELS,), latent_channels=4, layers_per_block=1)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_weights(unet, controlnet, vae), folder / "weights.safetensors")
    heads = {"unet_config": {"params": {"num_heads": HEADS}}}
    side = 16 * 2 ** (levels - 1)
    meta = {"config": {"model": {"params": heads}}, "image_hw": [side, side], "runs": {}}
    (folder / "meta.json").write_text(json.dumps(meta))
    save_file(_unit_calls(unet, controlnet, vae, side), folder / "unit.safetensors")
    return folder


@torch.no_grad()
def _unit_calls(
    unet: UNet2DConditionModel, controlnet: ControlNetModel, vae: AutoencoderKL, side: int
) -> dict[str, torch.Tensor]:
    x, t, hint = (
        torch.randn(1, 4, side // 8, side // 8),
        torch.tensor([301]),
        torch.rand(1, 3, side, side),
    )
    unit = {"x": x, "t": t, "hint": hint}
    unit |= {f"ctx_{name}": torch.randn(1, 7, WIDTH) for name in ("prompt", "negative", "empty")}
    down, middle = controlnet(x, t, unit["ctx_empty"], hint, return_dict=False)
    residuals = [*down, middle]

    def predict(context: str, scales: list[float]) -> torch.Tensor:
        scaled = [scale * one for scale, one in zip(scales, residuals, strict=True)]
        return unet(
            x,
            t,
            unit[context],
            down_block_additional_residuals=scaled[:-1],
            mid_block_additional_residual=scaled[-1],
            return_dict=False,
        )[0]

    whole = [1.0] * len(residuals)
    unit["hint_embedding"] = controlnet.controlnet_cond_embedding(hint)
    unit |= {f"control_out/{i:02d}": one.clone() for i, one in enumerate(residuals)}
    unit["eps_cond"], unit["eps_uncond"] = (
        predict("ctx_prompt", whole),
        predict("ctx_negative", whole),
    )
    rule = [STRENGTH * DECAY ** (12 - i) for i in range(len(residuals))]
    unit[f"eps_cond_scaled_{STRENGTH}x{DECAY}"] = predict("ctx_prompt", rule)
    image, latent = torch.rand(1, 3, 16, 16) * 2 - 1, torch.randn(1, 4, 16, 16)
    posterior = vae.encode(image).latent_dist
    unit |= {"vae/image": image, "vae/mean": posterior.mean, "vae/std": posterior.std}
    unit |= {
        "vae/scaled_latent": latent,
        "vae/decode_first_stage": vae.decode(latent / 0.18215).sample,
    }
    return {name: value.contiguous() for name, value in unit.items()}
