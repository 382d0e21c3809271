"""The actor: holds the pipeline, turns work into stored pairs, and tells the facts.

A request is planned -> sampled -> judged -> stored -> committed. Its work has what was planned; the
pipeline samples and judges it (:meth:`Worker._sample`); its files are stored
(:mod:`cluster.generate.storing`); the driver commits the facts (:mod:`cluster.generate.driver`).

One thread computes; decoding, coding and uploads happen beside it. A request's files depend on the
request alone, so work that is done twice writes the same bytes to the same places.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa

from adabldm.core import images, trimap
from adabldm.judging.options import JudgeOptions
from adabldm.placement import transform
from adabldm.sampling.options import ModeOptions
from adabldm.sampling.output import AdaBLDMOutput
from cluster.generate.compute_batch import ComputeBatch, ComputeBatches, is_out_of_memory
from cluster.generate.decoding import Decoded, decode
from cluster.generate.protocol import (
    FAILED,
    NO_ROOM,
    REJECTED,
    UNLOADABLE,
    UNSTORED,
    Fact,
    Status,
    Work,
    fact_table,
    works_of,
)
from cluster.generate.storing import Made, Store
from cluster.manifest.picture_checks import PictureFault
from cluster.models.kinds import Backend
from cluster.models.loading import Backends, ModelFault
from cluster.storage.location import Location

TRANSFER_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Where and how a worker works; ``judge`` None: pairs are not judged; ``keep`` names of
    :data:`~cluster.generate.protocol.KEPT`; ``compute_batch`` requests are computed together, or
    ``auto``: as many as fit in memory; ``epoch`` is that of the driver they work for."""

    output: Location
    options: ModeOptions
    device: str
    judge: JudgeOptions | None = None
    keep: tuple[str, ...] = ()
    compute_batch: ComputeBatch = None
    epoch: int = 0


class Worker:
    """Called by Ray Data with a table of :data:`~cluster.generate.protocol.WORK`; returns one of
    :data:`~cluster.generate.protocol.FACTS`.

    Several calls may be under way at once: while one computes, another stores.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._backends = Backends(settings.device)
        self._batches = ComputeBatches(settings.compute_batch, settings.device)
        self._in_place: tuple[str, str | None] | None = None
        self._store = Store(
            output=settings.output,
            judge=settings.judge,
            keep_rejected=REJECTED in settings.keep,
            epoch=settings.epoch,
        )
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._transfer = ThreadPoolExecutor(TRANSFER_THREADS, thread_name_prefix="transfer")

    def __call__(self, batch: pa.Table) -> pa.Table:
        decoded: list[Decoded] = []
        facts: list[Fact] = []
        works = works_of(batch)
        for work, future in [(work, self._transfer.submit(decode, work)) for work in works]:
            try:
                decoded.append(future.result())
            except (PictureFault, images.ImageFault, trimap.TrimapFault) as error:
                facts.append(_fact(work, FAILED, reason=str(error)))
            except transform.PlacementFault as error:
                facts.append(_fact(work, FAILED, reason=f"placement: {error}"))
            except OSError as error:
                facts.append(_fact(work, UNSTORED, reason=f"reading: {error}"))
        stored: list[tuple[Work, Future[Fact]]] = []
        for result in self._compute.submit(self._sample_all, decoded).result():
            if isinstance(result, Made):
                stored.append((result.work, self._transfer.submit(self._store, result)))
            else:
                facts.append(result)
        for work, done in stored:
            try:
                facts.append(done.result())
            except OSError as error:
                facts.append(_fact(work, UNSTORED, reason=f"writing: {error}"))
        return fact_table(facts)

    def _sample_all(self, decoded: list[Decoded]) -> list[Made | Fact]:
        """Run the pipeline of each row's model and branch."""
        results: list[Made | Fact] = []
        for _, group in groupby(decoded, key=_model_of):
            results += self._sample(list(group))
        return results

    def _sample(self, decoded: list[Decoded]) -> list[Made | Fact]:
        """Run one model's pipeline; a batch that raises is halved until the culprits stand
        alone. When memory runs out, fewer are computed together and no row is blamed."""
        try:
            return list(self._run(decoded))
        except ModelFault as error:
            return [_fact(one.work, UNLOADABLE, reason=str(error)) for one in decoded]
        except Exception as error:
            _leave_a_broken_gpu(error)
            status = NO_ROOM if is_out_of_memory(error) else FAILED
            lines = str(error).splitlines() or [""]
            reason = f"{type(error).__name__}: {lines[0]}"
        if status == NO_ROOM and self._batches.halve(decoded[0].work.model):
            return self._sample(decoded)
        if len(decoded) == 1:
            return [_fact(decoded[0].work, status, reason=reason)]
        middle = len(decoded) // 2
        return self._sample(decoded[:middle]) + self._sample(decoded[middle:])

    def _run(self, decoded: list[Decoded]) -> list[Made]:
        settings = self._settings
        backend, seconds = self._backend_of(decoded[0])

        def trial(size: int) -> None:
            from adabldm.sampling.modes import mode_of

            chosen = [decoded[i % len(decoded)] for i in range(size)]
            _call(backend, chosen, mode_of(settings.options).trial(settings.options), None, size)

        compute_batch = self._batches.of(decoded[0].work.model, trial)
        judge = settings.judge
        out = _call(backend, decoded, settings.options, judge, compute_batch)
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


def _call(
    backend: Backend,
    decoded: list[Decoded],
    options: ModeOptions,
    judge: JudgeOptions | None,
    compute_batch: int | None,
) -> AdaBLDMOutput:
    return backend(
        images=[one.image for one in decoded],
        trimaps=[one.trimap for one in decoded],
        prompts=[one.work.prompt for one in decoded],
        negative_prompts=[one.work.negative_prompt for one in decoded],
        seeds=[one.work.seed for one in decoded],
        options=options,
        judge=judge,
        compute_batch=compute_batch,
    )


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


def _fact(work: Work, status: Status, reason: str) -> Fact:
    return Fact(request_id=work.request_id, status=status, reason=reason)
