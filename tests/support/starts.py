"""Small checkpoints in the layouts that Stable Diffusion and AdaBLDM come in."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from adabldm import AdaBLDMPipeline
from adabldm.networks import ldm_checkpoint, small
from tests.support.tiny import tiny_pipeline

SD_SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "skip_prk_steps": True,
    "steps_offset": 1,
}
PICKLED = b"cos\nsystem\n(S'true'\ntR."
IGNORED = (
    "safety_checker/config.json",
    "safety_checker/pytorch_model.bin",
    "feature_extractor/preprocessor_config.json",
    "vae/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "text_encoder/pytorch_model.bin",
    "v1-5-pruned.ckpt",
    "README.md",
)
"""What publishers put beside a Stable Diffusion folder's weights."""


def sd_folder(
    folder: Path, *, of: AdaBLDMPipeline | None = None, scheduler: dict | None = None
) -> Path:
    """Stable Diffusion 1.5's diffusers layout as it is published, with parts of ``of``.

    The text encoder's tensors have the names, and the additional table, that they have there.
    """
    parts = of or tiny_pipeline()
    StableDiffusionPipeline(
        vae=parts.vae,
        unet=parts.unet,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        scheduler=PNDMScheduler(**(SD_SCHEDULER | (scheduler or {}))),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    text = folder / "text_encoder/model.safetensors"
    named = {f"text_model.{name}": value for name, value in load_file(text).items()}
    named["text_model.embeddings.position_ids"] = torch.arange(small.TEXT_LENGTH)[None]
    save_file(named, text, metadata={"format": "pt"})
    return folder


def add_ignored(folder: Path) -> None:
    """Put :data:`IGNORED` into a Stable Diffusion folder; each would fail, or run, if opened."""
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index))
    for name in IGNORED:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(PICKLED)


def sd_file(reference: Path, folder: Path, name: str, *, control: bool = False) -> Path:
    """The recording's weights as a single file, its tokenizer and configuration beside it.

    The recording has no text encoder, so one is added under the authors' names. ``control``: with
    the control branch, as AdaBLDM's own files have it.
    """
    folder.mkdir(exist_ok=True)
    weights = ldm_checkpoint.read_weights(reference / "weights.safetensors")
    if not control:
        weights = {k: v for k, v in weights.items() if not k.startswith(ldm_checkpoint.CONTROL)}
    words = small.build_tokenizer(["a crack in metal"] * 8, merges=4)
    encoder = _text_encoder(words, width=32)
    weights |= {ldm_checkpoint.TEXT + key: value for key, value in encoder.state_dict().items()}
    path = folder / name
    if name.endswith(".safetensors"):
        save_file({key: value.contiguous() for key, value in weights.items()}, path)
    else:
        torch.save({"state_dict": weights, "global_step": 5}, path)
    words.save_pretrained(folder / "tokenizer")
    config = json.loads((reference / "meta.json").read_text())["config"]
    path.with_suffix(".yaml").write_text(json.dumps(config))
    return path


def _text_encoder(words: CLIPTokenizer, width: int) -> CLIPTextModel:
    torch.manual_seed(0)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=1,
            num_attention_heads=1,
            max_position_embeddings=small.TEXT_LENGTH,
            hidden_act="quick_gelu",
            eos_token_id=words.eos_token_id,
        )
    )
