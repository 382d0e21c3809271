"""A recording of the authors' program: its folder, its networks, and the tensors of a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import load_file

from adabldm.core.json_text import load_json
from adabldm.networks import ldm_checkpoint
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.ddim import cumulative_alphas

META, WEIGHTS = "meta.json", "weights.safetensors"
MASK_BUILDING, UNIT_CALLS = "masks", "unit"
TRAINING_STEP = "train/loss"


class RecordingFault(ValueError):
    """A folder that is not a whole recording; the message says what is missing."""


class Tensors(dict[str, torch.Tensor]):
    """The tensors of one file by their names."""

    def __init__(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        super().__init__(tensors)
        self.name = name

    def __missing__(self, key: str) -> torch.Tensor:
        raise RecordingFault(f"{self.name}: {key} is not recorded")


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The recorded model as this program loads it: its parts, how many pixels a latent cell is wide
    (``factor``), and its ``weights`` in the authors' naming."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    controlnet: ControlNetModel
    alphas_cumprod: torch.Tensor
    factor: int
    weights: Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A folder with ``meta.json``, ``weights.safetensors`` and a ``<run>.safetensors`` for each run
    that the meta data names; ``unit.safetensors`` and ``masks.safetensors`` need not be there."""

    folder: Path
    meta: Mapping[str, Any]
    networks: Networks

    @staticmethod
    def open(folder: Path) -> Recording:
        """Raises :class:`RecordingFault` for what must be there and is not, and
        :class:`~adabldm.networks.formats.CheckpointFault`."""
        meta = _read_meta(folder)
        for run in meta["runs"]:
            _require(folder, f"{run}.safetensors")
        if not meta["runs"] and not any(
            _part(folder, part).exists() for part in (MASK_BUILDING, UNIT_CALLS)
        ):
            raise RecordingFault(f"{folder}: holds nothing to compare")
        pipeline = AdaBLDMPipeline.from_single_file(
            folder / WEIGHTS, config=meta["config"], image_size=max(meta["image_hw"])
        )
        networks = Networks(
            vae=pipeline.vae,
            unet=pipeline.unet,
            controlnet=pipeline.controlnet,
            alphas_cumprod=cumulative_alphas(pipeline.scheduler),
            factor=pipeline.factor,
            weights=ldm_checkpoint.read_weights(folder / WEIGHTS),
        )
        return Recording(folder=folder, meta=meta, networks=networks)

    def has(self, part: str) -> bool:
        return _part(self.folder, part).exists()

    def tensors(self, part: str) -> Tensors:
        """Those of ``<part>.safetensors``. Raises :class:`RecordingFault`."""
        path = _require(self.folder, f"{part}.safetensors")
        return Tensors(path.name, load_file(path))


def missing_parts(folder: Path) -> list[str]:
    """What a recording may have and the one in ``folder`` does not: it is left out of a replay."""
    missing = [
        f"{part}.safetensors"
        for part in (MASK_BUILDING, UNIT_CALLS)
        if not _part(folder, part).exists()
    ]
    if _part(folder, UNIT_CALLS).exists():
        with safe_open(_part(folder, UNIT_CALLS), "pt") as unit:
            if TRAINING_STEP not in unit.keys():  # noqa: SIM118 (no mapping)
                missing.append(f"{UNIT_CALLS}.safetensors: {TRAINING_STEP}")
    return missing


def _part(folder: Path, part: str) -> Path:
    return folder / f"{part}.safetensors"


def _require(folder: Path, name: str) -> Path:
    if not (folder / name).exists():
        raise RecordingFault(f"{folder}: {name} does not exist")
    return folder / name


def _read_meta(folder: Path) -> dict[str, Any]:
    path, _ = _require(folder, META), _require(folder, WEIGHTS)
    try:
        meta = load_json(path.read_text())
    except ValueError as error:
        raise RecordingFault(f"{path}: is not JSON: {error}") from error
    if not isinstance(meta, dict):
        raise RecordingFault(f"{path}: must be an object")
    for key in ("config", "image_hw", "runs"):
        if key not in meta:
            raise RecordingFault(f"{path}: has no {key!r}")
    return meta


def authors_names(
    convert: Callable, config: Mapping, weights: Mapping[str, torch.Tensor], prefix: str
) -> dict[str, str]:
    """The authors' name of every parameter, by diffusers' name, learned from the converter."""
    names = [key for key in weights if key.startswith(prefix)]
    marked = {key: torch.tensor([[float(i)]]) for i, key in enumerate(names)}
    converted = convert(marked, config)
    return {ours: names[int(mark.flatten()[0])] for ours, mark in converted.items()}
