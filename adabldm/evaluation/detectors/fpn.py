"""A segmentation decoder on a feature pyramid of a frozen backbone (as Lin et al., CVPR 2017, and
the head of Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019).

What a picture's parts look like is known before the first step, and nothing runs backwards through
the backbone: it learns from a few pictures in minutes of one CPU core.
"""

from __future__ import annotations

import torch
from torch import nn

from adabldm.core.progress import Progress
from adabldm.evaluation.detectors import DetectorOptions
from adabldm.evaluation.detectors.backbone import Backbone, open_backbone
from adabldm.evaluation.detectors.fitting import centred
from adabldm.evaluation.detectors.protocol import Model, Windows
from adabldm.evaluation.detectors.segmentation import Run, trained

RATE = 3e-3


def _block(given: int, made: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(given, made, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(made), nn.ReLU(True),
    )  # fmt: skip


def _doubled(state: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(state, scale_factor=2, mode="bilinear")


class Decoder(nn.Module):
    """The backbone's levels, top down, and a stem of the picture's own at half its side, where thin
    defects are still seen."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.coarse = _block(coarse, 4 * width, 1)
        self.middle = _block(middle, 4 * width, 1)
        self.fine = _block(fine, 2 * width, 1)
        self.at_eighth = _block(8 * width, 4 * width)
        self.at_fourth = _block(6 * width, 4 * width)
        self.narrow = _block(4 * width, width, 1)
        self.stem = nn.Sequential(_block(3, width, stride=2), _block(width, width))
        self.at_half = _block(2 * width, 2 * width)
        self.out = nn.Conv2d(2 * width, 1, 3, padding=1)

    def forward(self, pictures: torch.Tensor, levels: list[torch.Tensor]) -> torch.Tensor:
        """Logits (N, S, S) of pictures (N, 3, S, S) in [0, 1] with features at 1/4, 1/8 and
        1/16."""
        fine, middle, coarse = levels
        state = torch.cat([_doubled(self.coarse(coarse)), self.middle(middle)], dim=1)
        state = torch.cat([_doubled(self.at_eighth(state)), self.fine(fine)], dim=1)
        state = _doubled(self.narrow(self.at_fourth(state)))
        state = self.at_half(torch.cat([state, self.stem(centred(pictures))], dim=1))
        logits: torch.Tensor = _doubled(self.out(state))[:, 0]
        return logits


class Network(nn.Module):
    """Pictures (N, 3, S, S) in [0, 1] to logits of the defect, (N, S, S)."""

    def __init__(self, backbone: Backbone, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.decoder = Decoder(backbone.channels, width)

    def train(self, mode: bool = True) -> Network:
        """The backbone stays as it is."""
        self.decoder.train(mode)
        return self

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            levels = self.backbone(pictures)
        logits: torch.Tensor = self.decoder(pictures, levels)
        return logits


class FPN:
    """Trains the :class:`Decoder` of a :class:`Network`."""

    def __init__(self, options: DetectorOptions) -> None:
        self.options = options

    def train(self, windows: Windows, *, seed: int, device: str, progress: Progress) -> Model:
        """As :class:`~adabldm.evaluation.detectors.protocol.Detector`."""

        def made(place: torch.device) -> nn.Module:
            return Network(open_backbone(self.options.backbone, place), self.options.width)

        run = Run(seed=seed, device=device, rate=RATE, progress=progress)
        return trained(made, self.options, windows, run)
