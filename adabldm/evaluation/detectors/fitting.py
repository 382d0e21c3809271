"""The training loop that detectors share: so many steps, and the weights after the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from adabldm.core.ahead import ahead
from adabldm.core.devices import half_precision
from adabldm.core.progress import Progress

Loss = Callable[..., torch.Tensor]
"""The loss of a batch's arrays, as tensors on the device."""

READERS = 8
"""Threads that cut windows for a GPU; a CPU has other things to do."""

WARM = 0.05
"""Share of the steps in which the rate rises; after them it falls along half a cosine."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """``steps`` of AdamW at a ``rate``, weights decayed by ``decay``."""

    steps: int
    rate: float
    decay: float = 1e-4


def fit(
    network: nn.Module,
    loss: Loss,
    batches: Callable[[int], tuple[np.ndarray, ...]],
    how: Fit,
    device: torch.device,
    progress: Progress,
) -> None:
    """Train ``network``, on ``device``; step i learns from ``batches(i)``."""
    network.train()
    parameters = [one for one in network.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=how.rate, weight_decay=how.decay)
    warm = max(1, round(WARM * how.steps))

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + float(np.cos(np.pi * (step - warm) / max(1, how.steps - warm))))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    for step, arrays in enumerate(_ahead(batches, how.steps, device)):
        tensors = [torch.from_numpy(one).to(device) for one in arrays]
        optimiser.zero_grad(set_to_none=True)
        with half_precision(device):
            value = loss(*tensors)
        value.backward()
        optimiser.step()
        schedule.step()
        progress(step + 1, how.steps)
    network.eval()


def _ahead(
    batches: Callable[[int], tuple[np.ndarray, ...]], steps: int, device: torch.device
) -> Iterator[tuple[np.ndarray, ...]]:
    if device.type == "cpu":
        return map(batches, range(steps))
    return ahead(batches, range(steps), threads=READERS, held=2 * READERS)


def planes(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 (N, S, S, 3) as float32 (N, 3, S, S) in [0, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 255


MEAN, SPREAD = 0.45, 0.25
"""Of photographs' values in [0, 1], about."""


def centred(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in [0, 1] as a network that starts from nothing learns from them soonest."""
    return (pictures - MEAN) / SPREAD


def segmentation_loss(logits: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy over all pixels, and Dice loss (Milletari et al., 3DV 2016) of each
    window that has a defect, of ``logits`` (N, h, w) for bool ``marked`` (N, h, w).

    A loss of pixels alone, as DRAEM's focal one, is a loss of the largest defects: windows full of
    them count a thousand times as much as one with a blowhole. Dice counts windows.
    """
    logits = logits.float()
    target = marked.to(logits.dtype)
    cross = nn.functional.binary_cross_entropy_with_logits(logits, target)
    found, places = torch.sigmoid(logits), (1, 2)
    both = found.sum(places) + target.sum(places)
    dice = 1 - (2 * (found * target).sum(places) + 1) / (both + 1)
    flawed = marked.any(2).any(1).to(logits.dtype)
    return cross + (dice * flawed).sum() / flawed.sum().clamp_min(1)


def focal_loss(logits: torch.Tensor, marked: torch.Tensor, gamma: float) -> torch.Tensor:
    """Focal loss (Lin et al., ICCV 2017) of ``logits`` (N, h, w) for bool ``marked`` (N, h, w)."""
    logits = logits.float()
    target = marked.to(logits.dtype)
    cross = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return ((1 - torch.exp(-cross)) ** gamma * cross).mean()
