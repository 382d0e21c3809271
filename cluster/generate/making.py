"""From decoded requests to their pictures: the pipeline of each request's model and branch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import groupby

import numpy as np

from adabldm.core import images
from adabldm.judging.options import JudgeOptions
from adabldm.sampling.options import ModeOptions
from adabldm.sampling.output import AdaBLDMOutput
from cluster.generate.compute_batch import ComputeBatches, is_out_of_memory
from cluster.generate.decoding import Decoded
from cluster.generate.protocol import (
    FAILED,
    NO_ROOM,
    UNLOADABLE,
    UNREAD,
    Fact,
    Status,
    Work,
)
from cluster.generate.settings import WorkerSettings
from cluster.generate.storing import Made
from cluster.generate.watch import Watch
from cluster.models.kinds import Backend
from cluster.models.loading import Backends, ModelFault
from cluster.storage.local_cache import FetchFault

Result = Made | Fact


class Maker:
    """The pipelines of one worker; ``watch`` is over their calls."""

    def __init__(self, settings: WorkerSettings, watch: Watch) -> None:
        self._settings, self._watch = settings, watch
        self._backends = Backends(settings.device)
        self._batches = ComputeBatches(settings.compute_batch, settings.device)
        self._distances = {pair: of.distance for pair, of in settings.real.items()}
        self._in_place: tuple[str, str | None] | None = None

    def __call__(self, decoded: list[Decoded], take: Callable[[Result], None]) -> None:
        """Make all; ``take`` gets each result as soon as it is there."""
        for _, group in groupby(decoded, key=_model_of):
            self._make(list(group), take)

    def _make(self, decoded: list[Decoded], take: Callable[[Result], None]) -> None:
        """Run one model's pipeline; a batch that raises is halved until the culprits stand
        alone. When memory runs out, fewer are computed together and no row is blamed."""
        try:
            for made in self._run(decoded):
                take(made)
            return
        except ModelFault as error:
            status = UNREAD if isinstance(error.__cause__, FetchFault) else UNLOADABLE
            for one in decoded:
                take(fact(one.work, status, reason=str(error)))
            return
        except Exception as error:
            _leave_a_broken_gpu(error)
            status = NO_ROOM if is_out_of_memory(error) else FAILED
            lines = str(error).splitlines() or [""]
            reason = f"{type(error).__name__}: {lines[0]}"
        if status == NO_ROOM and self._batches.halve(decoded[0].work.model):
            self._make(decoded, take)
        elif len(decoded) == 1:
            take(fact(decoded[0].work, status, reason=reason))
        else:
            middle = len(decoded) // 2
            self._make(decoded[:middle], take)
            self._make(decoded[middle:], take)

    def _run(self, decoded: list[Decoded]) -> list[Made]:
        settings, ids = self._settings, [one.work.request_id for one in decoded]

        def trial(size: int) -> None:
            from adabldm.sampling.modes import mode_of

            chosen = [decoded[i % len(decoded)] for i in range(size)]
            short = mode_of(settings.options).trial(settings.options)
            self._call(backend, chosen, short, None, size)

        with self._watch.over(ids, loads=True):
            backend, seconds = self._backend_of(decoded[0])
            compute_batch = self._batches.of(decoded[0].work.model, trial)
        judge = settings.judge
        with self._watch.over(ids):
            out = self._call(backend, decoded, settings.options, judge, compute_batch)
        kept = {"source": out.sources, "trimap": out.trimaps, "blended": out.blended}
        return [
            Made(
                work=one.work,
                image=_in_channels_of(one, out.images[i], settings.options),
                asked=out.masks[i],
                refined=out.refined[i] if judge else None,
                reason=out.reasons[i],
                extras={
                    name: _in_channels_of(one, kept[name][i], settings.options)
                    for name in settings.keep
                    if name in kept
                },
                trace=out.traces[i],
                seconds={} if i else seconds,
            )
            for i, one in enumerate(decoded)
        ]

    def _call(
        self,
        backend: Backend,
        decoded: list[Decoded],
        options: ModeOptions,
        judge: JudgeOptions | None,
        compute_batch: int | None,
    ) -> AdaBLDMOutput:
        works = [one.work for one in decoded]
        return backend(
            images=[one.image for one in decoded],
            trimaps=[one.trimap for one in decoded],
            prompts=[work.prompt for work in works],
            negative_prompts=[work.negative_prompt for work in works],
            seeds=[work.seed for work in works],
            starts=[one.start for one in decoded],
            options=options,
            judge=judge,
            real=[self._distances.get((work.object, work.defect)) for work in works],
            compute_batch=compute_batch,
        )

    def _backend_of(self, one: Decoded) -> tuple[Backend, dict[str, float]]:
        """The pipeline of a row with its branch in place, and the seconds of a ``swap``, if it took
        one. Raises :class:`ModelFault`."""
        began, work, wanted = time.perf_counter(), one.work, _model_of(one)
        backend = self._backends.get(
            work.model, work.model_fingerprint, work.branch, work.branch_fingerprint
        )
        if self._in_place == wanted:
            return backend, {}
        self._in_place = wanted
        return backend, {"swap": time.perf_counter() - began}


def _in_channels_of(one: Decoded, picture: np.ndarray, options: ModeOptions) -> np.ndarray:
    """A picture of a pair with as many channels as its good image's file; at the model's size
    always three."""
    if options.resolution == "model" or not one.is_grey or picture.ndim == 2:
        return picture
    return images.grey(picture)


def _model_of(one: Decoded) -> tuple[str, str | None]:
    return one.work.model, one.work.branch


def _leave_a_broken_gpu(error: Exception) -> None:
    """End this process after an error that leaves its CUDA context unusable; Ray starts another."""
    if "CUDA error" in str(error):
        os._exit(1)


def fact(work: Work, status: Status, reason: str, *, own: bool = False) -> Fact:
    """That ``work`` has become nothing."""
    return Fact(request_id=work.request_id, status=status, reason=reason, own=own)
