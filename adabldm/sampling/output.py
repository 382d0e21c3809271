"""What a call of the pipeline gives back; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adabldm.sampling.options import RequestTrace


class SamplingFault(RuntimeError):
    """The model gave values that are no image (not a number, or infinite)."""


@dataclass(frozen=True, kw_only=True)
class AdaBLDMOutput:
    """One entry a request, of the picture's size, or with the resolution ``model`` of the model's:
    ``images`` the pairs' images, uint8 (H, W, 3); ``masks`` those asked for, uint8 (H, W) of
    0 / 255; ``sources`` the good images; ``trimaps``; ``blended`` the images before adaptation;
    ``traces`` losses, timings, quality; ``refined`` masks of what really changed, uint8 (H, W) of
    0 / 255; ``reasons`` why the judge rejects the pair, None where it accepts it.

    Without a judge ``refined`` are the asked masks and all ``reasons`` None, so that a caller need
    not ask whether there was one.
    """

    images: list[np.ndarray]
    masks: list[np.ndarray]
    sources: list[np.ndarray]
    trimaps: list[np.ndarray]
    blended: list[np.ndarray]
    traces: list[RequestTrace]
    refined: list[np.ndarray]
    reasons: list[str | None]
