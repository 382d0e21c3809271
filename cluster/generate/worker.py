"""The actor: holds the pipeline, turns rows into stored pairs, and tells the facts.

One thread computes; decoding, coding and uploads happen beside it. A row's files depend on the row
alone, so work that is done twice writes the same bytes to the same places.
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
from cluster.manifest.picture_checks import PictureFault
from cluster.manifest.reader import Row
from cluster.manifest.schema import SCHEMA
from cluster.models.loading import Backend, Backends, ModelFault
from cluster.output.index import FIGURES, INDEX
from cluster.output.paths import extra_key, image_key, mask_key
from cluster.storage.hashing import sha256
from cluster.storage.location import PARTIAL, Location

WORK = pa.schema(
    [
        *SCHEMA,
        pa.field("model_fingerprint", pa.string()),
        pa.field("branch", pa.string()),
        pa.field("branch_fingerprint", pa.string()),
        pa.field("source_sha256", pa.string()),
    ]
)
"""What a worker gets of a request; paths are URIs. ``branch`` is null where the whole model makes
the row."""

FACTS = pa.schema(
    [
        pa.field("request_id", pa.string()),
        *(INDEX.field(name) for name in ("status", "reason", "image", "mask")),
        *(INDEX.field(name) for name in ("image_sha256", "mask_sha256", "extras")),
        pa.field("quality", FIGURES),
        pa.field("seconds", FIGURES),
    ]
)
"""What a worker tells of a request."""

OK, FAILED = "ok", "failed"
UNLOADABLE, UNSTORED, NO_ROOM = "unloadable", "unstored", "no room"
"""Troubles that are not the row's: the job stops, and the row has no place in the index."""
EXTRAS = ("source", "trimap", "blended")
TRANSFER_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Where and how a worker works; ``keep`` names of :data:`EXTRAS`; ``compute_batch`` as in
    the pipeline's call, or ``auto``: as many as fit in memory."""

    output: Location
    options: ModeOptions
    device: str
    keep: tuple[str, ...] = ()
    compute_batch: ComputeBatch = None


@dataclass(frozen=True)
class _Made:
    """One request's pictures, as the pipeline gave them, and what its model took besides."""

    row: Row
    image: np.ndarray
    mask: np.ndarray
    extras: dict[str, np.ndarray]
    trace: RequestTrace
    seconds: dict[str, float]


class Worker:
    """Called by Ray Data with a table of :data:`WORK` rows; returns one of :data:`FACTS`.

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
        facts: list[Row] = []
        rows = batch.to_pylist()
        for row, future in [(row, self._transfer.submit(decode, row)) for row in rows]:
            try:
                decoded.append(future.result())
            except (PictureFault, images.ImageFault, trimap.TrimapFault) as error:
                facts.append(_fact(row, FAILED, reason=str(error)))
            except transform.PlacementFault as error:
                facts.append(_fact(row, FAILED, reason=f"placement: {error}"))
            except OSError as error:
                facts.append(_fact(row, UNSTORED, reason=f"reading: {error}"))
        stored: list[tuple[Row, Future[Row]]] = []
        for result in self._compute.submit(self._sample_all, decoded).result():
            if isinstance(result, _Made):
                stored.append((result.row, self._transfer.submit(self._store, result)))
            else:
                facts.append(result)
        for row, done in stored:
            try:
                facts.append(done.result())
            except OSError as error:
                facts.append(_fact(row, UNSTORED, reason=f"writing: {error}"))
        return pa.Table.from_pylist(facts, schema=FACTS)

    def _sample_all(self, decoded: list[Decoded]) -> list[_Made | Row]:
        """Run the pipeline of each row's model and branch."""
        results: list[_Made | Row] = []
        for _, group in groupby(decoded, key=_model_of):
            results += self._sample(list(group))
        return results

    def _sample(self, decoded: list[Decoded]) -> list[_Made | Row]:
        """Run one model's pipeline; a batch that raises is halved until the culprits stand
        alone. When memory runs out, fewer are computed together and no row is blamed."""
        try:
            return list(self._run(decoded))
        except ModelFault as error:
            return [_fact(one.row, UNLOADABLE, reason=str(error)) for one in decoded]
        except Exception as error:
            _leave_a_broken_gpu(error)
            status = NO_ROOM if is_out_of_memory(error) else FAILED
            lines = str(error).splitlines() or [""]
            reason = f"{type(error).__name__}: {lines[0]}"
        if status == NO_ROOM and self._batches.halve(decoded[0].row["model"]):
            return self._sample(decoded)
        if len(decoded) == 1:
            return [_fact(decoded[0].row, status, reason=reason)]
        middle = len(decoded) // 2
        return self._sample(decoded[:middle]) + self._sample(decoded[middle:])

    def _run(self, decoded: list[Decoded]) -> list[_Made]:
        settings = self._settings
        backend, seconds = self._backend_of(decoded[0])

        def trial(size: int) -> None:
            from adabldm.sampling.modes import mode_of

            chosen = [decoded[i % len(decoded)] for i in range(size)]
            _call(backend, chosen, mode_of(settings.options).trial(settings.options), size)

        together = self._batches.of(decoded[0].row["model"], trial)
        out = _call(backend, decoded, settings.options, together)
        kept = {"source": out.sources, "trimap": out.trimaps, "blended": out.blended}
        return [
            _Made(
                row=one.row,
                image=out.images[i],
                mask=out.masks[i],
                extras={name: kept[name][i] for name in settings.keep},
                trace=out.traces[i],
                seconds={} if i else seconds,
            )
            for i, one in enumerate(decoded)
        ]

    def _backend_of(self, one: Decoded) -> tuple[Backend, dict[str, float]]:
        """The pipeline of a row with its branch in place, and the seconds of a ``swap``, if it took
        one. Raises :class:`ModelFault`."""
        began, row, wanted = time.perf_counter(), one.row, _model_of(one)
        backend = self._backends.get(
            row["model"], row["model_fingerprint"], row["branch"], row["branch_fingerprint"]
        )
        if self._in_place == wanted:
            return backend, {}
        self._in_place = wanted
        return backend, {"swap": time.perf_counter() - began}

    def _store(self, made: _Made) -> Row:
        """Write a pair's files and return the row's facts. Raises ``OSError``."""
        began = time.perf_counter()
        row = made.row
        names = (row["object"], row["defect"], row["request_id"])
        image, mask = image_key(*names), mask_key(*names)
        extras = [
            {
                "name": name,
                "path": (path := extra_key(row["request_id"], name)),
                "sha256": self._write(path, pixels),
            }
            for name, pixels in made.extras.items()
        ]
        hashes = {
            "mask_sha256": self._write(mask, made.mask),
            "image_sha256": self._write(image, made.image),
        }
        seconds = {**made.trace.seconds, **made.seconds, "store": time.perf_counter() - began}
        return {
            **_fact(row, OK),
            **hashes,
            "image": image,
            "mask": mask,
            "extras": extras,
            "quality": sorted(made.trace.quality.items()),
            "seconds": sorted(seconds.items()),
        }

    def _write(self, key: str, pixels: np.ndarray) -> str:
        data = images.encode_png(pixels)
        output = self._settings.output
        output.join(key).write(data, partial=output.join(PARTIAL))
        return sha256(data)


def _call(
    backend: Backend, decoded: list[Decoded], options: ModeOptions, together: int | None
) -> AdaBLDMOutput:
    return backend(
        images=[one.image for one in decoded],
        trimaps=[one.trimap for one in decoded],
        prompts=[one.row["prompt"] for one in decoded],
        negative_prompts=[one.row["negative_prompt"] for one in decoded],
        seeds=[one.row["seed"] for one in decoded],
        options=options,
        compute_batch=together,
    )


def _model_of(one: Decoded) -> tuple[str, str | None]:
    return one.row["model"], one.row["branch"]


def _leave_a_broken_gpu(error: Exception) -> None:
    """End this process after an error that leaves its CUDA context unusable; Ray starts another."""
    if "CUDA error" in str(error):
        os._exit(1)


def _fact(row: Row, status: str, reason: str | None = None) -> Row:
    return {"request_id": row["request_id"], "status": status, "reason": reason}
