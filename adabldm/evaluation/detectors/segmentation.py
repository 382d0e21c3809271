"""A network that tells a window's pixels apart: its training, and its maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from adabldm.core.devices import half_precision, make_repeatable
from adabldm.core.progress import Progress
from adabldm.evaluation.detectors import DetectorOptions
from adabldm.evaluation.detectors.fitting import Fit, fit, planes, segmentation_loss
from adabldm.evaluation.detectors.protocol import Windows
from adabldm.evaluation.detectors.tiles import score_in_tiles


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training's ``seed``, ``device``, learning ``rate``, and who is told of its steps."""

    seed: int
    device: str
    rate: float
    progress: Progress


def trained(
    make: Callable[[torch.device], nn.Module], options: DetectorOptions, windows: Windows, run: Run
) -> SegmentationModel:
    """The network that ``make`` gives, of pictures (N, 3, S, S) in [0, 1] to logits (N, S, S),
    after the last step."""
    place = torch.device(run.device)
    make_repeatable(place)
    torch.manual_seed(run.seed)
    network = make(place).to(place)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(pictures: torch.Tensor, marked: torch.Tensor) -> torch.Tensor:
        return segmentation_loss(network(planes(pictures)), marked)

    how = Fit(steps=options.steps, rate=run.rate)
    fit(network, loss, mixed_batches(windows, options.batch), how, place, run.progress)
    return SegmentationModel(network, windows.size, place)


def mixed_batches(windows: Windows, size: int) -> Callable[[int], tuple[np.ndarray, ...]]:
    """For a step its windows, uint8 (N, S, S, 3), and what of them is marked, (N, S, S)."""

    def batches(step: int) -> tuple[np.ndarray, ...]:
        drawn = [windows.mixed(step * size + i) for i in range(size)]
        return np.stack([one for one, _ in drawn]), np.stack([mask for _, mask in drawn])

    return batches


class SegmentationModel:
    """A trained network; its scores are logits, enlarged bilinearly where it gives fewer than
    pixels."""

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
        logits, size = logits.float(), tiles.shape[1:3]
        if logits.shape[1:] != size:
            larger = nn.functional.interpolate(logits[:, None], size=size, mode="bilinear")
            logits = larger[:, 0]
        found: np.ndarray = logits.cpu().numpy()
        return found
