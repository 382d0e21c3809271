"""DeSTSeg (Zhang et al., CVPR 2023): a student that sees a spoiled picture learns a frozen
teacher's features of the clean one; where the two disagree a segmentation head finds the defect.

The student learns from good pictures with Perlin patches, as in the paper, whatever the head learns
from. AdamW in place of the paper's SGD, since widths and steps are options here.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from adabldm.core import random_streams
from adabldm.core.devices import make_repeatable
from adabldm.core.progress import Progress
from adabldm.evaluation.baselines import perlin
from adabldm.evaluation.detectors import DetectorOptions
from adabldm.evaluation.detectors.backbone import LEVELS, Backbone, open_backbone
from adabldm.evaluation.detectors.fitting import Fit, fit, focal_loss, planes
from adabldm.evaluation.detectors.protocol import Model, Windows
from adabldm.evaluation.detectors.segmentation import SegmentationModel, mixed_batches

STUDENT_SHARE = 0.2
"""Of the steps; the others are the head's (paper: 1,000 and 4,000)."""
RATE = 1e-3
GAMMA = 4.0
DILATIONS = (6, 12, 18)


class Residual(nn.Module):
    """The basic block of a ResNet (He et al., CVPR 2016).

    The convolution beside it strides by a pooling of one pixel: with a stride of its own, the
    backward pass of a 1 x 1 convolution of 8 channels corrupts memory on CPUs (torch 2.13's oneDNN,
    channels last).
    """

    def __init__(self, given: int, made: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(given, made, 3, stride, 1, bias=False), nn.BatchNorm2d(made), nn.ReLU(True),
            nn.Conv2d(made, made, 3, 1, 1, bias=False), nn.BatchNorm2d(made),
        )  # fmt: skip
        self.beside: nn.Module = nn.Identity()
        if stride != 1 or given != made:
            self.beside = nn.Sequential(
                nn.MaxPool2d(1, stride), nn.Conv2d(given, made, 1, bias=False), nn.BatchNorm2d(made)
            )  # fmt: skip

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(self.body(state) + self.beside(state))


class Student(nn.Module):
    """An encoder to 1/32 and a decoder without skips: pictures to the teacher's three levels."""

    def __init__(self, width: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        stem = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
        self.encoder = nn.Sequential(
            *stem, nn.MaxPool2d(3, 2, 1),
            *(
                Residual(given, made, 1 if number == 0 else 2)
                for number, (given, made) in enumerate(zip([width, *widths], widths, strict=False))
            ),
        )  # fmt: skip
        down = widths[::-1]
        self.decoder = nn.ModuleList(Residual(a, b) for a, b in pairwise(down))
        self.heads = nn.ModuleList(
            nn.Conv2d(made, wanted, 1)
            for made, wanted in zip(down[1:], channels[::-1], strict=True)
        )

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        state, found = self.encoder(pictures), []
        for block, head in zip(self.decoder, self.heads, strict=True):
            larger = nn.functional.interpolate(state, scale_factor=2, mode="bilinear")
            state = block(larger)
            found.append(head(state))
        return found[::-1]


class Head(nn.Module):
    """Two residual blocks and atrous spatial pyramid pooling (Chen et al., 2017): agreement
    (N, C, h, w) to logits (N, h, w). ``side`` is h and w; no dilation reaches farther."""

    def __init__(self, given: int, width: int, side: int) -> None:
        super().__init__()
        inner = 4 * width
        reaches = [min(far, side - 1) for far in DILATIONS]
        self.blocks = nn.Sequential(Residual(given, inner), Residual(inner, inner))
        self.branches = nn.ModuleList(
            [nn.Conv2d(inner, inner, 1), *(
                nn.Conv2d(inner, inner, 3, padding=far, dilation=far) for far in reaches
            )]
        )  # fmt: skip
        joined = inner * (len(DILATIONS) + 1)
        self.out = nn.Sequential(
            nn.Conv2d(joined, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(True),
            nn.Conv2d(inner, 1, 1),
        )  # fmt: skip

    def forward(self, agreement: torch.Tensor) -> torch.Tensor:
        state = self.blocks(agreement)
        parts = [nn.functional.relu(branch(state)) for branch in self.branches]
        logits: torch.Tensor = self.out(torch.cat(parts, dim=1))[:, 0]
        return logits


class Network(nn.Module):
    """Teacher, student and head: pictures (N, 3, S, S) to logits (N, S / 4, S / 4)."""

    def __init__(self, teacher: Backbone, width: int, window: int) -> None:
        super().__init__()
        self.teacher = teacher
        self.student = Student(width, teacher.channels)
        self.head = Head(sum(teacher.channels), width, window // LEVELS[0])

    def student_loss(self, clean: torch.Tensor, spoiled: torch.Tensor) -> torch.Tensor:
        """One minus the cosine of both features, mean over places, summed over levels."""
        with torch.no_grad():
            wanted = self.teacher(clean)
        pairs = zip(wanted, self.student(spoiled), strict=True)
        losses = [1 - nn.functional.cosine_similarity(a, b, dim=1).mean() for a, b in pairs]
        return torch.stack(losses).sum()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            pairs = list(zip(self.teacher(pictures), self.student(pictures), strict=True))
            normal = nn.functional.normalize
            products = [normal(a, dim=1) * normal(b, dim=1) for a, b in pairs]
            size = products[0].shape[2:]
            joined = [
                nn.functional.interpolate(one, size=size, mode="bilinear") for one in products
            ]
        logits: torch.Tensor = self.head(torch.cat(joined, dim=1))
        return logits


def head_loss(logits: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
    """Focal and L1 loss at the head's size; a cell is defect if any of its pixels is."""
    cells = nn.functional.max_pool2d(marked[:, None].float(), marked.shape[1] // logits.shape[1])
    away = (torch.sigmoid(logits.float()) - cells[:, 0]).abs().mean()
    return focal_loss(logits, cells[:, 0] > 0, GAMMA) + away


class DeSTSeg:
    """Trains :class:`Network`."""

    def __init__(self, options: DetectorOptions) -> None:
        self.options = options

    def train(self, windows: Windows, *, seed: int, device: str, progress: Progress) -> Model:
        """As :class:`~adabldm.evaluation.detectors.protocol.Detector`."""
        place, batch, steps = torch.device(device), self.options.batch, self.options.steps
        make_repeatable(place)
        torch.manual_seed(seed)
        teacher = open_backbone(self.options.backbone, place)
        network = Network(teacher, self.options.width, self.options.window).to(place)
        first = max(1, round(STUDENT_SHARE * steps))

        def spoiled(step: int) -> tuple[np.ndarray, ...]:
            numbers = range(step * batch, (step + 1) * batch)
            pairs = [spoil(windows, seed, number) for number in numbers]
            return np.stack([clean for clean, _ in pairs]), np.stack([bad for _, bad in pairs])

        def student_loss(clean: torch.Tensor, bad: torch.Tensor) -> torch.Tensor:
            return network.student_loss(planes(clean), planes(bad))

        def loss(pictures: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
            return head_loss(network(planes(pictures)), marked)

        how = Fit(steps=first, rate=RATE)
        fit(network.student, student_loss, spoiled, how, place, lambda n, _: progress(n, steps))
        network.student.requires_grad_(False)
        how = Fit(steps=steps - first, rate=RATE)
        mixed = mixed_batches(windows, batch)
        fit(network.head, loss, mixed, how, place, lambda n, _: progress(first + n, steps))
        return SegmentationModel(network.eval(), windows.size, place)


def spoil(windows: Windows, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Good window ``number`` as it is, and with Perlin patches of another, half of the time."""
    rng = random_streams.stream(seed, "spoiled window", number)
    clean = windows.good(2 * number)
    if rng.random() < 0.5:
        return clean, clean
    shape = perlin.noise(rng, *clean.shape[:2]) > 0.5
    return clean, perlin.blend(rng, clean, windows.good(2 * number + 1), shape)
