"""What a picture looks like at every place: features of a trained network, on a coarse grid.

The default needs no download: the first blocks of an encoder in the package. Any
``transformers`` vision backbone may be named instead, from a folder or a hub.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

_LOADING = Lock()
"""Pictures are looked at on several threads, and neither diffusers nor transformers can be imported
by two at once."""

GRID = 8
"""Pictures are resized to sides that are multiples of this."""


def features_path() -> Path:
    """Folder of the encoder that objects are found with, in diffusers layout.

    It is not the embedded model's own, so that object masks stay what they are when the model is
    replaced.
    """
    return Path(__file__).parent / "encoder"


class FeatureFault(ValueError):
    """A backbone that cannot give features of places; the message says which and why."""


class Features(Protocol):
    """Maps a picture, uint8 (H, W, 3), to its features, float32 (h, w, C), h <= H, w <= W."""

    def __call__(self, image: np.ndarray) -> np.ndarray: ...


def _sides(height: int, width: int, longest: int, multiple: int) -> tuple[int, int]:
    ratio = min(1.0, longest / max(height, width))
    rows, cols = (max(1, round(side * ratio / multiple)) * multiple for side in (height, width))
    return rows, cols


def _resized(image: np.ndarray, rows: int, cols: int) -> torch.Tensor:
    """float (1, 3, rows, cols) in 0..255."""
    picture = Image.fromarray(image).resize((cols, rows), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()


def _encoder(path: str) -> torch.nn.Module:
    with _LOADING:
        return _loaded_encoder(path)


@cache
def _loaded_encoder(path: str) -> torch.nn.Module:
    from diffusers import AutoencoderKL

    # Said here, or diffusers recommends a library that it would do this with.
    vae = AutoencoderKL.from_pretrained(path, subfolder="vae", low_cpu_mem_usage=False)
    encoder: torch.nn.Module = vae.encoder
    return encoder.eval().requires_grad_(False)


@dataclass(frozen=True, kw_only=True)
class EncoderFeatures:
    """The first three blocks of a model's autoencoder, (h, w) about half of ``side``.

    ``model`` is a folder in diffusers layout with ``vae``; by default the one in the package. Two
    objects with the same fields give the same features, and a pickle holds only the fields.
    """

    model: str = ""
    side: int = 192
    blocks: int = 3

    MARGIN = 16
    """Mirrored pixels around the picture: convolutions see the end of a picture, and border and
    middle must not differ by that."""

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        rows, cols = _sides(image.shape[0], image.shape[1], self.side, GRID)
        encoder: Any = _encoder(self.model or str(features_path()))
        pixels = _resized(image, rows, cols) / 127.5 - 1
        state = encoder.conv_in(_mirrored(pixels, self.MARGIN))
        levels = []
        for depth, block in enumerate(encoder.down_blocks[: self.blocks], start=1):
            state = block(state)
            edge = self.MARGIN >> depth
            inner = state[:, :, edge : state.shape[2] - edge, edge : state.shape[3] - edge]
            levels.append(F.interpolate(inner, (rows // 2, cols // 2), mode="bilinear"))
        return torch.cat(levels, 1)[0].permute(1, 2, 0).numpy()


def _mirrored(pixels: torch.Tensor, margin: int) -> torch.Tensor:
    """``pixels`` (1, 3, H, W) with ``margin`` more on each side; a small picture is repeated."""
    narrow = min(pixels.shape[2:]) <= margin
    return F.pad(pixels, (margin,) * 4, mode="replicate" if narrow else "reflect")


def _backbone(name: str) -> tuple[Callable[..., Any], np.ndarray, np.ndarray]:
    with _LOADING:
        return _loaded_backbone(name)


@cache
def _loaded_backbone(name: str) -> tuple[Callable[..., Any], np.ndarray, np.ndarray]:
    """The network and its pixels' mean and standard deviation in 0..255."""
    from transformers import AutoBackbone, AutoImageProcessor, AutoModel

    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    try:
        processor = AutoImageProcessor.from_pretrained(name)
        if processor.image_mean is not None and processor.image_std is not None:
            mean, std = np.array(processor.image_mean) * 255, np.array(processor.image_std) * 255
    except (OSError, ValueError, AttributeError):
        pass  # a checkpoint without a processor is fed the usual ImageNet range
    try:
        try:
            model = AutoBackbone.from_pretrained(name)
        except (ValueError, KeyError):
            model = AutoModel.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise FeatureFault(f"features: {name}: is no vision backbone: {error}") from error
    return model.eval().requires_grad_(False), mean, std


def _on_grid(output: Any, rows: int, cols: int, name: str) -> torch.Tensor:
    """The network's answer as (1, C, h, w), from feature maps or a transformer's tokens."""
    maps = getattr(output, "feature_maps", None)
    state = maps[-1] if maps else getattr(output, "last_hidden_state", None)
    if state is None:
        raise FeatureFault(f"features: {name}: gives neither feature maps nor hidden states")
    if state.ndim == 4:
        return state
    tokens = state.shape[1]
    # Class and register tokens come first; the rest is a grid of the picture's proportions.
    down = round((tokens * rows / cols) ** 0.5)
    for height in range(down, 0, -1):
        width = round(height * cols / rows)
        if 0 < tokens - height * width <= 8 or tokens == height * width:
            grid = state[:, tokens - height * width :]
            return grid.transpose(1, 2).reshape(1, -1, height, width)
    raise FeatureFault(f"features: {name}: {tokens} tokens are no grid of {rows} x {cols} pixels")


@dataclass(frozen=True, kw_only=True)
class BackboneFeatures:
    """The last feature map (or the tokens) of a ``transformers`` backbone.

    ``name`` is a folder written by ``save_pretrained`` or a name on the hub; ``side`` the square
    that it sees, in pixels. Raises :class:`FeatureFault` for a network without a grid.
    """

    name: str
    side: int = 224

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        model, mean, std = _backbone(self.name)
        pixels = _resized(image, self.side, self.side)
        shift, scale = (
            torch.from_numpy(value).float().reshape(1, 3, 1, 1) for value in (mean, std)
        )
        try:
            output = model(pixel_values=(pixels - shift) / scale)
        except (TypeError, ValueError) as error:
            raise FeatureFault(f"features: {self.name}: {error}") from error
        grid = _on_grid(output, self.side, self.side, self.name)
        return grid[0].permute(1, 2, 0).float().numpy()


def open_features(name: str | None = None) -> Features:
    """``None``: the encoder in the package; else the ``transformers`` backbone ``name``."""
    return BackboneFeatures(name=name) if name else EncoderFeatures()
