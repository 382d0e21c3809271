"""Any model that training or generation may start from, opened as one pipeline.

A base without a control branch gets a fresh one: the encoder half of its U-Net copied, behind zero
convolutions (Zhang et al., ControlNet), which is what the paper trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from adabldm.networks import formats, ldm_checkpoint
from adabldm.networks.formats import CheckpointFault
from adabldm.networks.ldm_checkpoint import (
    AUTOENCODER,
    PAPER_IMAGE_SIZE,
    TEXT,
    UNET,
    authors_scheduler,
)
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import TRAINED_STEPS

HINT_CHANNELS = (16, 32, 96, 256)
"""Of the encoder that brings the trimap to the latents' size, as in ControlNet."""
HINT_SEED = 0
"""Of that encoder's first weights."""
BETAS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")
"""What is taken from a base's own scheduler configuration."""


def open_base(
    path: str | Path,
    *,
    tokenizer: str | Path | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    image_size: int | None = None,
) -> AdaBLDMPipeline:
    """The model at ``path``, of any layout in :mod:`adabldm.networks.formats`, float32 on the CPU.

    ``tokenizer`` (a folder) and ``config`` (the authors' model configuration) belong to a single
    file; by default they are ``tokenizer`` and ``<stem>.yaml`` beside it, where these exist.
    ``image_size`` is the side of the pictures in pixels, a multiple of the autoencoder's factor; by
    default a saved pipeline's own, else the paper's 256. The scheduler is DDIM with the base's own
    betas. A base without a control branch gets :func:`fresh_control_branch`.

    Raises :class:`CheckpointFault`.
    """
    place = Path(path)
    if not place.exists():
        raise CheckpointFault(f"{path}: there is no such file or folder")
    try:
        parts = _folder(place) if place.is_dir() else _single_file(place, tokenizer, config)
    except OSError as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointFault(f"{path}: cannot be read: {reason}") from error
    if isinstance(parts, AdaBLDMPipeline):
        pipeline = parts
    else:
        _check_fit(path, **parts)
        if parts.get("controlnet") is None:
            parts["controlnet"] = fresh_control_branch(parts["unet"])
        pipeline = AdaBLDMPipeline(**parts, image_size=PAPER_IMAGE_SIZE)
    if image_size is not None:
        if image_size < 1 or image_size % pipeline.factor:
            rule = f"must be a multiple of the autoencoder's {pipeline.factor}"
            raise CheckpointFault(f"image_size: {image_size}: {rule}")
        pipeline.register_to_config(image_size=image_size)
    return pipeline


def fresh_control_branch(unet: UNet2DConditionModel) -> ControlNetModel:
    """A control branch that changes nothing yet: ``unet``'s encoder half, zero convolutions.

    The trimap's own encoder is drawn from a fixed seed; the global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(HINT_SEED)
        return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=HINT_CHANNELS)


def _folder(folder: Path) -> AdaBLDMPipeline | dict[str, Any]:
    if not (folder / formats.INDEX).exists():
        raise CheckpointFault(f"{folder}: a model folder has a {formats.INDEX}")
    try:
        index = formats.read_index((folder / formats.INDEX).read_bytes())
        if index.get("_class_name") == formats.OURS:
            return AdaBLDMPipeline.from_pretrained(folder)
        if formats.is_stable_diffusion(index):
            return _stable_diffusion(folder)
    except CheckpointFault as error:
        raise CheckpointFault(f"{folder}: {error}") from error
    raise CheckpointFault(
        f"{folder}: its {formats.INDEX} names {index.get('_class_name')!r}, it must be "
        f"{formats.OURS} or {formats.STABLE_DIFFUSION}"
    )


def _stable_diffusion(folder: Path) -> dict[str, Any]:
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    formats.stable_diffusion_files(names)
    kinds = {"vae": AutoencoderKL, "unet": UNet2DConditionModel, "text_encoder": CLIPTextModel}
    parts = {part: _part(kind, folder, part, names) for part, kind in kinds.items()}
    scheduler = DDIMScheduler.load_config(folder / "scheduler", local_files_only=True)
    return {
        **parts,
        "tokenizer": CLIPTokenizer.from_pretrained(str(folder / "tokenizer")),
        "scheduler": _ddim(scheduler),
    }


def _part(kind: type, folder: Path, part: str, names: set[str]) -> torch.nn.Module:
    """One part with all of its weights read from the file."""
    # diffusers loads in float32 unless told otherwise, transformers in the file's own type.
    options = {"dtype": torch.float32} if kind is CLIPTextModel else {"low_cpu_mem_usage": False}
    module, loaded = kind.from_pretrained(  # type: ignore[attr-defined]
        folder / part,
        variant=formats.variant_of(names, part),
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        **options,
    )
    missing = sorted(loaded["missing_keys"])
    if missing:
        raise CheckpointFault(f"{part}: {len(missing)} weights are missing, as {missing[0]}")
    return module


def _ddim(own: Mapping[str, Any]) -> DDIMScheduler:
    """DDIM in the authors' settings with the betas of a base's own scheduler configuration."""
    prediction = own.get("prediction_type", "epsilon")
    if prediction != "epsilon":
        raise CheckpointFault(f"scheduler.prediction_type: {prediction!r}: must be 'epsilon'")
    betas = DDIMScheduler.from_config(own).config
    if betas.num_train_timesteps != TRAINED_STEPS:
        found = betas.num_train_timesteps
        raise CheckpointFault(f"scheduler.num_train_timesteps: {found}: must be {TRAINED_STEPS}")
    return DDIMScheduler.from_config(
        authors_scheduler().config, **{name: betas[name] for name in BETAS}
    )


def _single_file(
    file: Path,
    tokenizer: str | Path | None,
    config: str | Path | Mapping[str, Any] | None,
) -> dict[str, Any]:
    beside = {"tokenizer": file.parent / "tokenizer", "config": file.with_suffix(".yaml")}
    if tokenizer is None and beside["tokenizer"].is_dir():
        tokenizer = beside["tokenizer"]
    if config is None and beside["config"].exists():
        config = beside["config"]
    weights = ldm_checkpoint.read_weights(file, needed=(UNET, AUTOENCODER))
    try:
        return ldm_checkpoint.build_parts(weights, config=config, tokenizer=tokenizer)
    except CheckpointFault as error:
        raise CheckpointFault(f"{file}: {error}") from error


def _check_fit(
    path: str | Path,
    *,
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel | None,
    tokenizer: CLIPTokenizer | None,
    **others: Any,
) -> None:
    """Refuse parts of another architecture (inpainting, larger relatives) or of different models.

    Raises :class:`CheckpointFault`.
    """
    del others
    latent, taken = vae.config.latent_channels, unet.config.in_channels
    if taken != latent:
        raise CheckpointFault(f"{path}: unet.in_channels: {taken}: must be the vae's {latent}")
    if text_encoder is None:
        raise CheckpointFault(f"{path}: no tensor is named {TEXT}*: a CLIP text encoder is needed")
    if tokenizer is None:
        raise CheckpointFault(f"{path}: a model file has a folder 'tokenizer' beside it")
    width, context = text_encoder.config.hidden_size, unet.config.cross_attention_dim
    if context != width:
        rule = f"must be the text encoder's {width}"
        raise CheckpointFault(f"{path}: unet.cross_attention_dim: {context}: {rule}")
    known = text_encoder.config.vocab_size
    if len(tokenizer) > known:
        rule = f"the text encoder knows {known}"
        raise CheckpointFault(f"{path}: tokenizer: {len(tokenizer)} tokens: {rule}")
