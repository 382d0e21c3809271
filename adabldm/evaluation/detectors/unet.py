"""The segmentation network of the usual protocol: DRAEM's discriminative U-Net (Zavrtanik et al.,
ICCV 2021), on pictures alone, with its focal loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from adabldm.core.devices import half_precision, make_repeatable
from adabldm.core.progress import Progress
from adabldm.evaluation.detectors import DetectorOptions
from adabldm.evaluation.detectors.fitting import Fit, fit, focal_loss, planes
from adabldm.evaluation.detectors.protocol import Model, Windows
from adabldm.evaluation.detectors.tiles import score_in_tiles

RATE = 1e-3
GAMMA = 2.0
DOWN = (1, 2, 4, 8, 8, 8)
"""Channels of the encoder's blocks, over the width; each halves the side of the one before."""


def _block(given: int, made: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (given, made):
        layers += [nn.Conv2d(channels, made, 3, padding=1), nn.BatchNorm2d(made), nn.ReLU(True)]
    return nn.Sequential(*layers)


class DiscriminativeUNet(nn.Module):
    """Maps pictures (N, 3, S, S) in [0, 1] to logits of the defect, (N, S, S)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * factor for factor in DOWN]
        self.down = nn.ModuleList(
            _block(given, made) for given, made in zip([3, *widths], widths, strict=False)
        )
        self.up, self.join = nn.ModuleList(), nn.ModuleList()
        given = widths[-1]
        for beside, made in zip(widths[-2::-1], [*widths[-3::-1], width], strict=True):
            self.up.append(
                nn.Sequential(
                    nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
                    nn.Conv2d(given, made, 3, padding=1), nn.BatchNorm2d(made), nn.ReLU(True),
                )
            )  # fmt: skip
            self.join.append(_block(beside + made, made))
            given = made
        self.out = nn.Conv2d(given, 1, 3, padding=1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        state, seen = pictures, []
        for number, block in enumerate(self.down):
            state = block(nn.functional.max_pool2d(state, 2) if number else state)
            seen.append(state)
        for up, join, beside in zip(self.up, self.join, seen[-2::-1], strict=True):
            state = join(torch.cat([up(state), beside], dim=1))
        logits: torch.Tensor = self.out(state)[:, 0]
        return logits


class UNetDetector:
    """Trains :class:`DiscriminativeUNet`."""

    def __init__(self, options: DetectorOptions) -> None:
        self.options = options

    def train(self, windows: Windows, *, seed: int, device: str, progress: Progress) -> Model:
        """As :class:`~adabldm.evaluation.detectors.protocol.Detector`."""
        place, batch = torch.device(device), self.options.batch
        make_repeatable(place)
        torch.manual_seed(seed)
        network = DiscriminativeUNet(self.options.width).to(place)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        def batches(step: int) -> tuple[np.ndarray, ...]:
            drawn = [windows.mixed(step * batch + i) for i in range(batch)]
            return np.stack([one for one, _ in drawn]), np.stack([mask for _, mask in drawn])

        def loss(pictures: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
            return focal_loss(network(planes(pictures)), marked, GAMMA)

        fit(network, loss, batches, Fit(steps=self.options.steps, rate=RATE), place, progress)
        return UNetModel(network, windows.size, place)


class UNetModel:
    """A trained U-Net; its scores are logits."""

    def __init__(self, network: nn.Module, side: int, device: torch.device) -> None:
        self._network, self._side, self._device = network, side, device

    def score(self, picture: np.ndarray) -> np.ndarray:
        """As :class:`~adabldm.evaluation.detectors.protocol.Model`."""
        return score_in_tiles(picture, self._side, self._logits)

    @torch.no_grad()
    def _logits(self, tiles: np.ndarray) -> np.ndarray:
        pictures = planes(torch.from_numpy(tiles).to(self._device))
        with half_precision(self._device):
            logits = self._network(pictures)
        found: np.ndarray = logits.float().cpu().numpy()
        return found
