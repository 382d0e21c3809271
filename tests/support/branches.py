"""Branches of a base, made up: its weights with a change drawn from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from adabldm.branches.card import BranchCard
from adabldm.branches.files import pipeline_weights, save_branch
from adabldm.pipeline import AdaBLDMPipeline

FINGERPRINT = "ab" * 32


def base_weights(pipeline: AdaBLDMPipeline, module: str = "controlnet") -> dict[str, torch.Tensor]:
    """The weights of one module, by a branch's names."""
    named = pipeline_weights(pipeline)
    return {name: one.data for name, one in named.items() if name.startswith(module)}


def changed_weights(base: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """``base`` with noise on it, a fifth as strong as the weights."""
    source = torch.Generator().manual_seed(seed)
    return {
        name: weight + 0.2 * weight.abs().mean() * torch.randn(weight.shape, generator=source)
        for name, weight in base.items()
    }


def write_branch(
    folder: Path, pipeline: AdaBLDMPipeline, seed: int, rank: int | None = None, **card: Any
) -> BranchCard:
    """Save the control branch of ``pipeline``, changed by ``seed``."""
    base = base_weights(pipeline)
    settings: dict[str, Any] = {
        "base_fingerprint": FINGERPRINT,
        "objects": ["metal"],
        "defects": ["crack"],
        "image_size": pipeline.image_size,
        "surface": {"metal": "texture"},
        "prompts": ["a crack in metal"],
        "split_sha256": "cd" * 32,
        "training": {"steps": 5, "seed": seed, "learning_rate": 1e-4},
        **card,
    }
    return save_branch(folder, changed_weights(base, seed), base, rank=rank, **settings)
