"""What a call of the pipeline gives back; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adabldm.sampling.options import RequestTrace


class SamplingFault(RuntimeError):
    """The model gave values that are no image (not a number, or infinite)."""


@dataclass(frozen=True, kw_only=True)
class AdaBLDMOutput:
    """One entry a request, at the model's size S: ``images`` the pairs' images, uint8 (S, S, 3);
    ``masks`` uint8 (S, S) of 0 / 255; ``sources`` the good images and ``trimaps`` as the model saw
    them; ``blended`` the images before adaptation; ``traces`` losses, timings, quality."""

    images: list[np.ndarray]
    masks: list[np.ndarray]
    sources: list[np.ndarray]
    trimaps: list[np.ndarray]
    blended: list[np.ndarray]
    traces: list[RequestTrace]
