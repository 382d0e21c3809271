"""Checkpoints in the authors' layout (LDM naming), read with weights only.

``model.diffusion_model.*``, ``first_stage_model.*`` and, if present, ``control_model.*`` and
``cond_stage_model.*``; Stable Diffusion's own files are the same without ``control_model.*``. The
architecture is read off the tensors' shapes; only the number of attention heads is not there to be
read, so it comes from the configuration.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_controlnet_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from adabldm.networks import formats
from adabldm.networks.formats import CONTROL as CONTROL
from adabldm.networks.formats import CheckpointFault as CheckpointFault

StateDict = Mapping[str, torch.Tensor]
UNET, AUTOENCODER = "model.diffusion_model.", "first_stage_model."
TEXT = "cond_stage_model.transformer.text_model."
DEFAULT_HEADS = 8
PAPER_IMAGE_SIZE = 256
SCALE_FACTOR = 0.18215


class _Inert:
    """Stands for what a trainer's checkpoint holds besides weights; keeps nothing, does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


INERT_CLASSES: list[Any] = [
    type(name, (_Inert,), {"__module__": module}) for module, name in formats.TRAINER_STATE_CLASSES
]
"""What stands for each of the trainer's classes while a file is read."""


def read_weights(
    path: str | Path, needed: Sequence[str] = (UNET, CONTROL, AUTOENCODER)
) -> dict[str, torch.Tensor]:
    """The model's tensors in a ``.safetensors`` or ``.ckpt`` / ``.pt`` file, float32, on the CPU.

    Pickled code is never run. Raises :class:`CheckpointFault`, also where no tensor's name begins
    with one of ``needed``.
    """
    try:
        if str(path).endswith(".safetensors"):
            loaded = load_file(path)
        else:
            with torch.serialization.safe_globals(INERT_CLASSES):
                loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, SafetensorError, pickle.UnpicklingError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointFault(f"{path}: not a file of weights alone: {reason}") from error
    if not isinstance(loaded, dict):
        raise CheckpointFault(f"{path}: holds {type(loaded).__name__}, not a dictionary of weights")
    loaded = loaded.get("state_dict", loaded)
    tensors = {
        key: value
        for key, value in loaded.items()
        if isinstance(value, torch.Tensor) and key.startswith((UNET, CONTROL, AUTOENCODER, TEXT))
    }
    for prefix in needed:
        if not any(key.startswith(prefix) for key in tensors):
            raise CheckpointFault(f"{path}: no tensor is named {prefix}*")
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def read_config(config: str | Path | Mapping[str, Any] | None) -> dict[str, Any]:
    """The authors' model configuration (``model: params: ...``), from YAML, JSON or a mapping."""
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return dict(config)
    text = Path(config).read_text()
    return json.loads(text) if str(config).endswith(".json") else yaml.safe_load(text)


def _heads(config: Mapping[str, Any]) -> int:
    params = config.get("model", {}).get("params", {}).get("unet_config", {}).get("params", {})
    return int(params.get("num_heads", DEFAULT_HEADS))


def _level_layout(weights: StateDict, prefix: str) -> tuple[list[int], list[bool], int]:
    """Channels of each level, whether it has cross-attention, and residual blocks a level."""
    channels: list[int] = []
    attention: list[bool] = []
    blocks, index, fresh = 0, 1, True
    while f"{prefix}input_blocks.{index}.0.op.weight" in weights or (
        f"{prefix}input_blocks.{index}.0.in_layers.0.weight" in weights
    ):
        if f"{prefix}input_blocks.{index}.0.op.weight" in weights:
            fresh = True
        elif fresh:
            conv = weights[f"{prefix}input_blocks.{index}.0.out_layers.3.weight"]
            channels.append(conv.shape[0])
            attention.append(f"{prefix}input_blocks.{index}.1.norm.weight" in weights)
            fresh = False
        if len(channels) == 1 and not fresh:
            blocks += 1
        index += 1
    return channels, attention, blocks


def unet_config(weights: StateDict, prefix: str, heads: int) -> dict[str, Any]:
    """diffusers' configuration of the U-Net whose tensors are named ``prefix*``."""
    channels, attention, blocks = _level_layout(weights, prefix)
    first = weights[f"{prefix}input_blocks.0.0.weight"]
    contexts = [v for k, v in weights.items() if k.startswith(prefix) and ".attn2.to_k" in k]
    if not contexts:
        raise CheckpointFault(f"{prefix}*: has no cross-attention")
    down = ["CrossAttnDownBlock2D" if has else "DownBlock2D" for has in attention]
    return {
        "in_channels": first.shape[1],
        "block_out_channels": tuple(channels),
        "down_block_types": tuple(down),
        "layers_per_block": blocks,
        "cross_attention_dim": contexts[0].shape[1],
        "attention_head_dim": heads,
        "use_linear_projection": weights[
            next(k for k in weights if k.startswith(prefix) and k.endswith("proj_in.weight"))
        ].ndim == 2,
        "norm_num_groups": 32,
        "norm_eps": 1e-5,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "downsample_padding": 1,
    }  # fmt: skip


def _load(module: nn.Module, weights: StateDict, what: str) -> None:
    try:
        module.load_state_dict(dict(weights), strict=True)
    except RuntimeError as error:
        raise CheckpointFault(f"{what}: {str(error).splitlines()[1].strip()}") from error


def build_unet(weights: StateDict, heads: int, image_size: int) -> UNet2DConditionModel:
    """The denoiser with its weights. Raises :class:`CheckpointFault`."""
    config = unet_config(weights, UNET, heads)
    up = [
        "CrossAttnUpBlock2D" if name.startswith("Cross") else "UpBlock2D"
        for name in reversed(config["down_block_types"])
    ]
    out_channels = weights[f"{UNET}out.2.weight"].shape[0]
    unet = UNet2DConditionModel(
        **config, up_block_types=tuple(up), out_channels=out_channels, sample_size=image_size // 8
    )
    _load(unet, convert_ldm_unet_checkpoint(dict(weights), unet.config), UNET)
    return unet


def build_controlnet(weights: StateDict, heads: int) -> ControlNetModel:
    """The control branch with its weights. Raises :class:`CheckpointFault`."""
    layers = {
        int(match.group(1)): value.shape[0]
        for key, value in weights.items()
        if (match := re.fullmatch(re.escape(CONTROL) + r"input_hint_block\.(\d+)\.weight", key))
    }
    hint_channels = tuple(layers[index] for index in sorted(layers)[:-1:2])
    controlnet = ControlNetModel(
        **unet_config(weights, CONTROL, heads),
        conditioning_embedding_out_channels=hint_channels,
    )
    _load(controlnet, convert_controlnet_checkpoint(dict(weights), controlnet.config), CONTROL)
    return controlnet


def build_autoencoder(weights: StateDict, image_size: int) -> AutoencoderKL:
    """The autoencoder with its weights. Raises :class:`CheckpointFault`."""
    encoder = f"{AUTOENCODER}encoder."
    channels: list[int] = []
    while (key := f"{encoder}down.{len(channels)}.block.0.conv2.weight") in weights:
        channels.append(weights[key].shape[0])
    blocks = 0
    while f"{encoder}down.0.block.{blocks}.conv1.weight" in weights:
        blocks += 1
    vae = AutoencoderKL(
        block_out_channels=tuple(channels),
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=blocks,
        latent_channels=weights[f"{AUTOENCODER}post_quant_conv.weight"].shape[1],
        sample_size=image_size,
        scaling_factor=SCALE_FACTOR,
    )
    _load(vae, convert_ldm_vae_checkpoint(dict(weights), vae.config), AUTOENCODER)
    return vae


def build_text_encoder(weights: StateDict) -> CLIPTextModel | None:
    """The CLIP text encoder, or None if the file has none."""
    own = {k.removeprefix(TEXT): v for k, v in weights.items() if k.startswith(TEXT)}
    own.pop("embeddings.position_ids", None)
    if not own:
        return None
    vocabulary, hidden = own["embeddings.token_embedding.weight"].shape
    layers = {k.split(".")[2] for k in own if k.startswith("encoder.layers.")}
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            intermediate_size=own["encoder.layers.0.mlp.fc1.weight"].shape[0],
            num_hidden_layers=len(layers),
            num_attention_heads=max(1, hidden // 64),
            max_position_embeddings=own["embeddings.position_embedding.weight"].shape[0],
            hidden_act="quick_gelu",
        )
    )
    _load(encoder, own, TEXT)
    return encoder


def authors_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule: scaled linear, 0.00085 to 0.012, 1000 steps."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
        prediction_type="epsilon",
    )


def build_parts(
    weights: StateDict,
    *,
    config: str | Path | Mapping[str, Any] | None = None,
    tokenizer: str | Path | CLIPTokenizer | None = None,
    image_size: int = PAPER_IMAGE_SIZE,
) -> dict[str, Any]:
    """The components of a pipeline from a checkpoint's ``weights``; what they lack is None.

    ``config`` is the authors' model configuration; without it attention has 8 heads.
    ``tokenizer`` is a folder (or a tokenizer); prompts cannot be encoded without one.
    Raises :class:`CheckpointFault`.
    """
    heads = _heads(read_config(config))
    if isinstance(tokenizer, str | Path):
        if not Path(tokenizer).is_dir():
            raise CheckpointFault(f"tokenizer: {str(tokenizer)!r}: there is no such folder")
        tokenizer = CLIPTokenizer.from_pretrained(str(tokenizer))
    has_control = any(key.startswith(CONTROL) for key in weights)
    try:
        return {
            "vae": build_autoencoder(weights, image_size),
            "unet": build_unet(weights, heads, image_size),
            "controlnet": build_controlnet(weights, heads) if has_control else None,
            "text_encoder": build_text_encoder(weights),
            "tokenizer": tokenizer,
            "scheduler": authors_scheduler(),
        }
    except KeyError as error:
        raise CheckpointFault(f"no tensor is named {error.args[0]}") from error


def load(path: str | Path, *, image_size: int = PAPER_IMAGE_SIZE, **options: Any) -> dict[str, Any]:
    """The components of a pipeline from one AdaBLDM or ControlLDM file.

    ``options`` are those of :func:`build_parts`. Raises :class:`CheckpointFault`.
    """
    parts = build_parts(read_weights(path), image_size=image_size, **options)
    return {**parts, "image_size": image_size}
