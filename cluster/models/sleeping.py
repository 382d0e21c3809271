"""A pipeline that only sleeps: the same call as the real one, for tests and for ceilings.

``sleep://MS?spread=R&raise=WORD&crash=WORD&fail=TEXT&room=N&size=S&version=V``: MS milliseconds a
request, or with ``spread`` MS on average and by its seed up to R times the shortest; a prompt that
contains a WORD raises, or ends the process; ``fail`` is an error while loading; memory runs out
when more than N requests are computed together.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

import numpy as np

from adabldm.core import images as pictures
from adabldm.core import trimap
from adabldm.sampling.options import ModeOptions, RequestTrace
from adabldm.sampling.output import AdaBLDMOutput


def sleeping_fingerprint(uri: str) -> str:
    """SHA-256 of what makes its pictures: its version, whatever its pace and its faults."""
    version = parse_qs(urlsplit(uri).query).get("version", ["1"])[0]
    return hashlib.sha256(f"sleep {version}".encode()).hexdigest()


class SleepingPipeline:
    """Noise drawn from the request's seed on the defect, after a rest."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if "fail" in query:
            raise ValueError(query["fail"])
        self._seconds = float(parts.netloc or 0) / 1000
        self._spread = float(query.get("spread", 1))
        if not self._spread >= 1:
            raise ValueError(f"spread: {self._spread}: must be 1 or more")
        self._raise, self._crash = query.get("raise"), query.get("crash")
        self._room = int(query["room"]) if "room" in query else None
        self.image_size = int(query.get("size", 64))

    def __call__(
        self,
        images: Sequence[np.ndarray],
        trimaps: Sequence[np.ndarray],
        prompts: Sequence[str],
        seeds: Sequence[int],
        negative_prompts: Sequence[str] | None = None,
        options: ModeOptions | None = None,
        compute_batch: int | None = None,
    ) -> AdaBLDMOutput:
        """As :meth:`adabldm.pipeline.AdaBLDMPipeline.__call__`; a trace tells when (seconds since
        1970) and in which process the request woke."""
        del negative_prompts
        self._refuse_too_many(compute_batch or len(images))
        for prompt in prompts:
            if self._crash is not None and self._crash in prompt:
                os._exit(1)
            if self._raise is not None and self._raise in prompt:
                raise RuntimeError(f"asked to raise by {prompt!r}")
        rests = [self._rest(seed) for seed in seeds]
        woke = time.time() + np.cumsum(rests)
        time.sleep(sum(rests))
        sources, small = list(images), list(trimaps)
        if options is not None and options.resolution == "model":
            side = self.image_size
            sources = [pictures.resize(image, side, side) for image in images]
            small = [trimap.resize(one, side, side) for one in trimaps]
        masks = [np.where(one == trimap.DEFECT, 255, 0).astype(np.uint8) for one in small]
        made = []
        for source, mask, seed in zip(sources, masks, seeds, strict=True):
            noise = np.random.default_rng(seed % 2**64).integers(0, 256, source.shape, np.uint8)
            made.append(np.where(mask[..., None] > 0, noise, source))
        traces = [
            RequestTrace(
                seconds={"sleep": rest}, quality={"woke": float(when), "worker": os.getpid()}
            )
            for rest, when in zip(rests, woke, strict=True)
        ]
        return AdaBLDMOutput(
            images=made,
            masks=masks,
            sources=sources,
            trimaps=small,
            blended=made,
            traces=traces,
            refined=masks,
            reasons=[None] * len(made),
        )

    def _rest(self, seed: int) -> float:
        """Seconds that a request takes."""
        shortest = 2 * self._seconds / (1 + self._spread)
        part = np.random.default_rng([seed % 2**64, 1]).random()
        return shortest * (1 + (self._spread - 1) * part)

    def _refuse_too_many(self, compute_batch: int) -> None:
        if self._room is not None and compute_batch > self._room:
            import torch

            raise torch.OutOfMemoryError(
                f"{compute_batch} requests, there is room for {self._room}"
            )
