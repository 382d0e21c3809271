"""The floor of one-class detectors: PaDiM (Defard et al., ICPR 2021) on windows.

Windows of a texture or a moving object have no places of their own, so one Gaussian stands for all
of them. It learns from good pictures alone: every arm with the same good pictures has its figures.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import cholesky, solve_triangular
from torch import nn

from adabldm.core.devices import make_repeatable
from adabldm.core.progress import Progress
from adabldm.evaluation.detectors import DetectorOptions
from adabldm.evaluation.detectors.backbone import Backbone, open_backbone
from adabldm.evaluation.detectors.fitting import planes
from adabldm.evaluation.detectors.protocol import Model, Windows
from adabldm.evaluation.detectors.tiles import score_in_tiles

FEATURES = 100
"""That are kept of all channels, drawn at random (paper)."""
RIDGE = 0.01
"""Added to the covariance, as a share of its mean variance."""
MOST_BATCHES = 100
"""That the Gaussian is estimated from; more change nothing."""


class PaDiM:
    """Estimates a Gaussian of good features."""

    def __init__(self, options: DetectorOptions) -> None:
        self.options = options

    def train(self, windows: Windows, *, seed: int, device: str, progress: Progress) -> Model:
        """As :class:`~adabldm.evaluation.detectors.protocol.Detector`."""
        place, batch = torch.device(device), self.options.batch
        make_repeatable(place)
        see = Seen(open_backbone(self.options.backbone, place), seed, place)
        steps = min(self.options.steps, MOST_BATCHES)
        count, total, square = 0, np.zeros(see.kept), np.zeros((see.kept, see.kept))
        for step in range(steps):
            good = np.stack([windows.good(step * batch + i) for i in range(batch)])
            features = see(good).reshape(-1, see.kept).astype(np.float64)
            count += len(features)
            total, square = total + features.sum(axis=0), square + features.T @ features
            progress(self.options.steps * (step + 1) // steps, self.options.steps)
        mean = total / count
        covariance = square / count - np.outer(mean, mean)
        covariance += np.eye(see.kept) * (RIDGE * np.trace(covariance) / see.kept + 1e-12)
        whiten = solve_triangular(cholesky(covariance, lower=True), np.eye(see.kept), lower=True)
        return PaDiMModel(see, mean, whiten.T, windows.size)


class Seen:
    """Some channels of all levels at 1/8 of the side: uint8 (N, S, S, 3) to (N, S/8, S/8, C)."""

    def __init__(self, backbone: Backbone, seed: int, device: torch.device) -> None:
        self._backbone, self._device = backbone, device
        channels = sum(backbone.channels)
        self.kept = min(FEATURES, channels)
        rng = np.random.default_rng(seed)
        self._chosen = np.sort(rng.permutation(channels)[: self.kept])

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        levels = self._backbone(planes(torch.from_numpy(pictures).to(self._device)))
        size = levels[1].shape[2:]
        joined = [
            nn.functional.avg_pool2d(levels[0], 2),
            levels[1],
            nn.functional.interpolate(levels[2], size=size, mode="bilinear"),
        ]
        features = torch.cat(joined, dim=1)[:, torch.from_numpy(self._chosen)]
        found: np.ndarray = features.permute(0, 2, 3, 1).float().cpu().numpy()
        return found


class PaDiMModel:
    """A Gaussian; its scores are Mahalanobis distances."""

    def __init__(self, see: Seen, mean: np.ndarray, whiten: np.ndarray, side: int) -> None:
        self._see, self._mean, self._whiten, self._side = see, mean, whiten, side

    def score(self, picture: np.ndarray) -> np.ndarray:
        """As :class:`~adabldm.evaluation.detectors.protocol.Model`."""
        return score_in_tiles(picture, self._side, self._distances)

    def _distances(self, tiles: np.ndarray) -> np.ndarray:
        away = (self._see(tiles) - self._mean) @ self._whiten
        distance = torch.from_numpy(np.sqrt((away**2).sum(axis=3)).astype(np.float32))
        larger = nn.functional.interpolate(
            distance[:, None], size=tiles.shape[1:3], mode="bilinear"
        )
        found: np.ndarray = larger[:, 0].numpy()
        return found
