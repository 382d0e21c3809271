"""A pipeline that only sleeps: the same call as the real one, for tests and for ceilings.

``sleep://MS?spread=R&accept=P&reject=WORD&raise=WORD&crash=WORD&hang=WORD&nan=WORD&fail=TEXT&load=MS&room=N&size=S&version=V``:
MS milliseconds a draw, or with ``spread`` MS on average and by its seed up to R times the shortest;
where there is a judge, a share P of the draws, by their seed and number, nearly covers its mask and
the others hardly, as all do whose prompt contains the WORD of ``reject``; a prompt that contains a
WORD raises, ends the process, takes an hour, or has figures that are no numbers; ``fail`` is an
error while loading, which takes the MS of ``load``; memory runs out when more than N requests are
computed together.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import numpy as np

from adabldm.core import images as pictures
from adabldm.core import trimap
from adabldm.judging.options import JudgeOptions
from adabldm.judging.verdict import RealDistance
from adabldm.sampling.options import ModeOptions, RequestTrace
from adabldm.sampling.output import AdaBLDMOutput

HANG_SECONDS = 3600.0


def sleeping_fingerprint(uri: str) -> str:
    """SHA-256 of what makes its pictures: its version, whatever its pace and its faults."""
    version = parse_qs(urlsplit(uri).query).get("version", ["1"])[0]
    return hashlib.sha256(f"sleep {version}".encode()).hexdigest()


@dataclass(frozen=True)
class _Drawn:
    """The best of a request's ``draws``: its ``number``, its ``coverage``, and why it
    is rejected."""

    number: int
    coverage: float
    draws: int
    reason: str | None

    @property
    def figures(self) -> dict[str, float]:
        drawn = {"candidates": float(self.draws), "candidate": float(self.number)}
        return {"coverage": self.coverage, **drawn}


class SleepingPipeline:
    """Noise drawn from the request's seed on the defect, after a rest."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        time.sleep(float(query.get("load", 0)) / 1000)
        if "fail" in query:
            raise ValueError(query["fail"])
        self._seconds = float(parts.netloc or 0) / 1000
        self._spread = float(query.get("spread", 1))
        if not self._spread >= 1:
            raise ValueError(f"spread: {self._spread}: must be 1 or more")
        self._raise, self._crash = query.get("raise"), query.get("crash")
        self._hang, self._nan = query.get("hang"), query.get("nan")
        self._reject, self._accept = query.get("reject"), float(query.get("accept", 1))
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
        judge: JudgeOptions | None = None,
        compute_batch: int | None = None,
        real: Sequence[RealDistance | None] | None = None,
        starts: Sequence[np.ndarray | None] | None = None,
    ) -> AdaBLDMOutput:
        """As :meth:`adabldm.pipeline.AdaBLDMPipeline.__call__`; a trace tells when (seconds since
        1970) and in which process the request woke."""
        del negative_prompts, real, starts
        self._refuse_too_many(compute_batch or len(images))
        for prompt in prompts:
            if self._crash is not None and self._crash in prompt:
                os._exit(1)
            if self._hang is not None and self._hang in prompt:
                time.sleep(HANG_SECONDS)
            if self._raise is not None and self._raise in prompt:
                raise RuntimeError(f"asked to raise by {prompt!r}")
        drawn = [self._draw(*one, judge) for one in zip(prompts, seeds, strict=True)]
        rests = [self._rest(seed) * one.draws for seed, one in zip(seeds, drawn, strict=True)]
        woke = time.time() + np.cumsum(rests)
        time.sleep(sum(rests))
        sources, small = list(images), list(trimaps)
        if options is not None and options.resolution == "model":
            side = self.image_size
            sources = [pictures.resize(image, side, side) for image in images]
            small = [trimap.resize(one, side, side) for one in trimaps]
        masks = [np.where(one == trimap.DEFECT, 255, 0).astype(np.uint8) for one in small]
        made = []
        for source, mask, seed, one in zip(sources, masks, seeds, drawn, strict=True):
            noise = _rng(seed, one.number).integers(0, 256, source.shape, np.uint8)
            made.append(np.where(mask[..., None] > 0, noise, source))
        traces = [
            RequestTrace(
                seconds={"sleep": rest},
                quality={"woke": float(when), "worker": os.getpid()}
                | (one.figures if judge else {}),
            )
            for rest, when, one in zip(rests, woke, drawn, strict=True)
        ]
        return AdaBLDMOutput(
            images=made,
            masks=masks,
            sources=sources,
            trimaps=small,
            blended=made,
            traces=traces,
            refined=[_without_a_row(mask) for mask in masks] if judge else masks,
            reasons=[one.reason for one in drawn],
        )

    def _draw(self, prompt: str, seed: int, judge: JudgeOptions | None) -> _Drawn:
        """What the judge would make of a request's draws; the first draw is the one without it."""
        if judge is None:
            return _Drawn(0, 1.0, 1, None)
        accepted = 0.0 if self._reject is not None and self._reject in prompt else self._accept
        covered: list[float] = []
        while len(covered) < judge.candidates * (1 + judge.retries):
            for number in range(len(covered), len(covered) + judge.candidates):
                luck, value = np.random.default_rng([seed % 2**64, number, 2]).random(2)
                covered.append(0.9 * float(luck < accepted) + 0.1 * float(value))
            best = max(covered)
            if self._nan is not None and self._nan in prompt:
                best = math.nan
            if not (missed := judge.limits.missed({"coverage": best})):
                break
        number = 0 if math.isnan(best) else covered.index(best)
        return _Drawn(number, best, len(covered), "; ".join(missed) or None)

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


def _rng(seed: int, number: int) -> np.random.Generator:
    """The chance of a request's draw; the first one's is the seed's own."""
    return np.random.default_rng([seed % 2**64, number] if number else seed % 2**64)


def _without_a_row(mask: np.ndarray) -> np.ndarray:
    """``mask`` without the topmost row of its defect: what "really changed"."""
    refined = mask.copy()
    refined[np.flatnonzero(mask.any(axis=1))[:1]] = 0
    return refined
