"""A pipeline that only sleeps: the same call as the real one, for tests and for ceilings.

``sleep://MS?raise=WORD&crash=WORD&fail=TEXT&size=S&version=V``: MS milliseconds a request; a prompt
that contains a WORD raises, or ends the process; ``fail`` is an error while loading.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from adabldm import images as pictures
from adabldm import trimap
from adabldm.options import RequestTrace, SamplerOptions
from adabldm.output import AdaBLDMOutput


class SleepingPipeline:
    """Noise drawn from the request's seed on the defect, after a rest."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if "fail" in query:
            raise ValueError(query["fail"])
        self._seconds = float(parts.netloc or 0) / 1000
        self._raise, self._crash = query.get("raise"), query.get("crash")
        self.image_size = int(query.get("size", 64))

    def __call__(
        self,
        images: Sequence[np.ndarray],
        trimaps: Sequence[np.ndarray],
        prompts: Sequence[str],
        seeds: Sequence[int],
        negative_prompts: Sequence[str] | None = None,
        options: SamplerOptions | None = None,
        compute_batch: int | None = None,
    ) -> AdaBLDMOutput:
        """As :meth:`adabldm.pipeline.AdaBLDMPipeline.__call__`."""
        del negative_prompts, options, compute_batch
        for prompt in prompts:
            if self._crash is not None and self._crash in prompt:
                os._exit(1)
            if self._raise is not None and self._raise in prompt:
                raise RuntimeError(f"asked to raise by {prompt!r}")
        time.sleep(self._seconds * len(images))
        side = self.image_size
        sources = [pictures.resize(image, side, side) for image in images]
        small = [trimap.resize(one, side, side) for one in trimaps]
        masks = [np.where(one == trimap.DEFECT, 255, 0).astype(np.uint8) for one in small]
        made = []
        for source, mask, seed in zip(sources, masks, seeds, strict=True):
            noise = np.random.default_rng(seed % 2**64).integers(0, 256, source.shape, np.uint8)
            made.append(np.where(mask[..., None] > 0, noise, source))
        trace: dict[str, Any] = {"seconds": {"sleep": self._seconds}, "quality": {"nothing": 0.0}}
        return AdaBLDMOutput(
            images=made,
            masks=masks,
            sources=sources,
            trimaps=small,
            blended=made,
            traces=[RequestTrace(**trace) for _ in made],
        )
