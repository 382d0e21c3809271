"""The segmentation network of the usual protocol: DRAEM's discriminative U-Net (Zavrtanik et al.,
ICCV 2021), on pictures alone."""

from __future__ import annotations

import torch
from torch import nn

from adabldm.core.progress import Progress
from adabldm.evaluation.detectors import DetectorOptions
from adabldm.evaluation.detectors.fitting import centred
from adabldm.evaluation.detectors.protocol import Model, Windows
from adabldm.evaluation.detectors.segmentation import Run, trained

RATE = 1e-3
"""Of the papers' width; a narrower network takes larger steps."""
USUAL_WIDTH = 64
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
        state, seen = centred(pictures), []
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

        def made(_: torch.device) -> nn.Module:
            return DiscriminativeUNet(self.options.width)

        rate = RATE * (USUAL_WIDTH / self.options.width) ** 0.5
        run = Run(seed=seed, device=device, rate=rate, progress=progress)
        return trained(made, self.options, windows, run)
