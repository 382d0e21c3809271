"""Comparisons of what was made with what was recorded, and their tolerances (fp32, CPU)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from adabldm.parity.recording import RecordingFault

EXACT = 0.0
UNIT = 1e-5
ENCODE_MEAN = 2e-5
STEP_LATENT = 2e-3
FINAL = 1e-4
LEVELS = 1.0
LEVELS_SHARE = 1e-3
TRAINING_LOSS = 1e-6
GRADIENT = 1e-3
EARLY_LOSS, EARLY_STEPS = 2e-6, 20
# To step 100 rounding alone (attention kernel, thread count) moves a loss by up to 7e-6.
MIDDLE_LOSS, MIDDLE_STEPS = 2e-5, 100
LATE_LOSS = 2e-2
LATE_IMAGE = 2e-2


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of the table; ``relative`` differences are divided by the recorded magnitude."""

    quantity: str
    difference: float
    tolerance: float

    @property
    def ok(self) -> bool:
        return bool(self.difference <= self.tolerance)


def difference(
    quantity: str, ours: torch.Tensor, theirs: torch.Tensor, tolerance: float
) -> Comparison:
    if ours.shape != theirs.shape:
        raise RecordingFault(
            f"{quantity}: ours is {tuple(ours.shape)}, recorded {tuple(theirs.shape)}"
        )
    difference = (ours.double() - theirs.double()).abs().max().item()
    # A value that is not a number must never pass.
    difference = difference if np.isfinite(difference) else float("inf")
    return Comparison(quantity=quantity, difference=difference, tolerance=tolerance)


def relative(
    quantity: str, ours: torch.Tensor, theirs: torch.Tensor, tolerance: float
) -> Comparison:
    scale = theirs.double().abs().max().clamp_min(1e-30)
    return difference(quantity, ours.double() / scale, theirs.double() / scale, tolerance)


def levels(quantity: str, ours: torch.Tensor, theirs: torch.Tensor) -> Iterator[Comparison]:
    """uint8 images: how many levels apart, and on what share of the values."""
    yield difference(f"{quantity}, levels", ours, theirs, LEVELS)
    share = (ours != theirs).double().mean().item()
    yield Comparison(quantity=f"{quantity}, share", difference=share, tolerance=LEVELS_SHARE)
