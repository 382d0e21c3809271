"""The actor: holds the pipeline, turns work into stored pairs, and tells the facts.

A request is planned -> sampled -> judged -> stored -> committed. Its work has what was planned; the
pipeline samples it and its trace has what was judged (:meth:`Worker._sample`); its files are stored
(:meth:`Worker._store`); the driver commits the facts (:mod:`cluster.generate.driver`).

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
from adabldm.placement import transform
from adabldm.sampling.options import ModeOptions, RequestTrace
from adabldm.sampling.output import AdaBLDMOutput
from cluster.generate.compute_batch import ComputeBatch, ComputeBatches, is_out_of_memory
from cluster.generate.decoding import Decoded, decode
from cluster.generate.protocol import (
    FAILED,
    NO_ROOM,
    OK,
    UNLOADABLE,
    UNSTORED,
    Extra,
    Fact,
    Status,
    Work,
    fact_table,
    works_of,
)
from cluster.manifest.picture_checks import PictureFault
from cluster.models.kinds import Backend
from cluster.models.loading import Backends, ModelFault
from cluster.output.paths import extra_key, image_key, mask_key
from cluster.storage.hashing import sha256
from cluster.storage.location import PARTIAL, Location

TRANSFER_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Where and how a worker works; ``keep`` names of
    :data:`~cluster.generate.protocol.EXTRAS`; ``compute_batch`` requests are computed together, or
    ``auto``: as many as fit in memory."""

    output: Location
    options: ModeOptions
    device: str
    keep: tuple[str, ...] = ()
    compute_batch: ComputeBatch = None


@dataclass(frozen=True)
class _Made:
    """One request's pictures, as they are written, and what its model took besides."""

    work: Work
    image: np.ndarray
    mask: np.ndarray
    extras: dict[str, np.ndarray]
    trace: RequestTrace
    seconds: dict[str, float]


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
            if isinstance(result, _Made):
                stored.append((result.work, self._transfer.submit(self._store, result)))
            else:
                facts.append(result)
        for work, done in stored:
            try:
                facts.append(done.result())
            except OSError as error:
                facts.append(_fact(work, UNSTORED, reason=f"writing: {error}"))
        return fact_table(facts)

    def _sample_all(self, decoded: list[Decoded]) -> list[_Made | Fact]:
        """Run the pipeline of each row's model and branch."""
        results: list[_Made | Fact] = []
        for _, group in groupby(decoded, key=_model_of):
            results += self._sample(list(group))
        return results

    def _sample(self, decoded: list[Decoded]) -> list[_Made | Fact]:
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

    def _run(self, decoded: list[Decoded]) -> list[_Made]:
        settings = self._settings
        backend, seconds = self._backend_of(decoded[0])

        def trial(size: int) -> None:
            from adabldm.sampling.modes import mode_of

            chosen = [decoded[i % len(decoded)] for i in range(size)]
            _call(backend, chosen, mode_of(settings.options).trial(settings.options), size)

        compute_batch = self._batches.of(decoded[0].work.model, trial)
        out = _call(backend, decoded, settings.options, compute_batch)
        kept = {"source": out.sources, "trimap": out.trimaps, "blended": out.blended}
        return [
            _Made(
                work=one.work,
                image=_in_channels_of(one, out.images[i], settings.options),
                mask=out.masks[i],
                extras={
                    name: _in_channels_of(one, kept[name][i], settings.options)
                    for name in settings.keep
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

    def _store(self, made: _Made) -> Fact:
        """Write a pair's files and return the request's fact. Raises ``OSError``."""
        began = time.perf_counter()
        work = made.work
        names = (work.object, work.defect, work.request_id)
        image, mask = image_key(*names), mask_key(*names)
        extras: list[Extra] = [
            {
                "name": name,
                "path": (path := extra_key(work.request_id, name)),
                "sha256": self._write(path, pixels),
            }
            for name, pixels in made.extras.items()
        ]
        mask_sha256, image_sha256 = self._write(mask, made.mask), self._write(image, made.image)
        seconds = {**made.trace.seconds, **made.seconds, "store": time.perf_counter() - began}
        return Fact(
            request_id=work.request_id,
            status=OK,
            image=image,
            mask=mask,
            image_sha256=image_sha256,
            mask_sha256=mask_sha256,
            extras=extras,
            quality=sorted(made.trace.quality.items()),
            seconds=sorted(seconds.items()),
        )

    def _write(self, key: str, pixels: np.ndarray) -> str:
        data = images.encode_png(pixels)
        output = self._settings.output
        output.join(key).write(data, partial=output.join(PARTIAL))
        return sha256(data)


def _call(
    backend: Backend, decoded: list[Decoded], options: ModeOptions, compute_batch: int | None
) -> AdaBLDMOutput:
    return backend(
        images=[one.image for one in decoded],
        trimaps=[one.trimap for one in decoded],
        prompts=[one.work.prompt for one in decoded],
        negative_prompts=[one.work.negative_prompt for one in decoded],
        seeds=[one.work.seed for one in decoded],
        options=options,
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
