"""One request's candidates: what is drawn for it, which of it is kept, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from adabldm.core import trimap
from adabldm.judging import pair
from adabldm.judging.candidates import candidate_seed, is_better
from adabldm.judging.options import JudgeOptions
from adabldm.judging.verdict import Judge, RealDistance, Verdict
from adabldm.placement import windows
from adabldm.placement.canvas import Canvas, View
from adabldm.sampling.options import RequestTrace


@dataclass(frozen=True)
class Drawn:
    """One view as the model drew it: ``image`` and the one ``before`` adaptation, uint8 (S, S, 3);
    ``losses`` and ``terms`` of the adaptation; ``seconds`` by stage."""

    image: np.ndarray
    before: np.ndarray
    losses: tuple[float, ...]
    terms: tuple[float, float]
    seconds: dict[str, float]


@dataclass(frozen=True)
class _Kept:
    """The best candidate so far: its ``number``, its views and its verdict, None unjudged."""

    number: int
    parts: Sequence[Drawn]
    verdict: Verdict | None


class Contest:
    """The candidates of the request on ``canvas`` with ``seed``; without ``options`` there is one,
    and it is not judged."""

    def __init__(
        self,
        canvas: Canvas,
        seed: int,
        options: JudgeOptions | None = None,
        real: RealDistance | None = None,
    ) -> None:
        self.canvas = canvas
        self._seed = seed
        self._views = canvas.views()
        self._options = options
        self._judge = (
            None if options is None else Judge(canvas.source, canvas.trimap, options.limits, real)
        )
        self._kept: _Kept | None = None
        self._seconds: dict[str, float] = {}
        self._candidates = 0

    @property
    def is_open(self) -> bool:
        """Whether more candidates are to be drawn."""
        if self._kept is None:
            return True
        verdict, options = self._kept.verdict, self._options
        if verdict is None or options is None or verdict.reason is None:
            return False
        return self._candidates < options.candidates * (1 + options.retries)

    def next_round(self) -> list[list[View]]:
        """The views of each candidate of the next round."""
        count = 1 if self._options is None else self._options.candidates
        first = self._candidates
        return [self._views_of(number) for number in range(first, first + count)]

    def _views_of(self, number: int) -> list[View]:
        seeds = windows.derived_seeds(candidate_seed(self._seed, number), len(self._views))
        return [replace(view, seed=seed) for view, seed in zip(self._views, seeds, strict=True)]

    def consider(self, parts: Sequence[Drawn]) -> None:
        """Judge the next candidate, whose views were drawn as ``parts``, and keep the better."""
        for part in parts:
            for name, seconds in part.seconds.items():
                self._seconds[name] = self._seconds.get(name, 0.0) + seconds
        candidate = _Kept(self._candidates, parts, self._verdict(parts))
        self._candidates += 1
        if self._kept is None or _goes_before(candidate, self._kept):
            self._kept = candidate

    def _verdict(self, parts: Sequence[Drawn]) -> Verdict | None:
        if self._judge is None:
            return None
        began = time.perf_counter()
        verdict = self._judge(self.canvas.composed([part.image for part in parts]))
        self._seconds["judge"] = self._seconds.get("judge", 0.0) + time.perf_counter() - began
        return verdict

    def result(self) -> Result:
        """What is kept of all that was considered, which is one candidate at least."""
        kept = self._kept
        if kept is None:
            raise RuntimeError("no candidate was considered")
        asked = (self.canvas.trimap == trimap.DEFECT).astype(np.uint8) * 255
        image = self.canvas.composed([part.image for part in kept.parts])
        if kept.verdict is None:
            figures = pair.pair_quality(image, self.canvas.source, asked)
            refined, reason = asked, None
        else:
            figures = kept.verdict.figures | {
                "candidates": float(self._candidates),
                "candidate": float(kept.number),
            }
            refined, reason = kept.verdict.refined, kept.verdict.reason
        return Result(
            image=image,
            before=self.canvas.composed([part.before for part in kept.parts]),
            mask=asked,
            refined=refined,
            reason=reason,
            trace=RequestTrace(
                losses=kept.parts[0].losses,
                seconds=self._seconds,
                quality=figures | _adaptation(kept.parts) | self.canvas.facts(),
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a request comes to: see :class:`adabldm.sampling.output.AdaBLDMOutput`."""

    image: np.ndarray
    before: np.ndarray
    mask: np.ndarray
    refined: np.ndarray
    reason: str | None
    trace: RequestTrace


def _goes_before(one: _Kept, other: _Kept) -> bool:
    return (
        one.verdict is not None
        and other.verdict is not None
        and is_better(one.verdict, other.verdict)
    )


def _adaptation(parts: Sequence[Drawn]) -> dict[str, float]:
    """Figures of the adaptation of a request's views: the worst."""
    ends = [part.losses[-1] for part in parts if part.losses]
    return ({"adaptation_loss": max(ends)} if ends else {}) | {
        "foreground_loss": max(part.terms[0] for part in parts),
        "background_loss": max(part.terms[1] for part in parts),
    }
