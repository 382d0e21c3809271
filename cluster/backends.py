"""Loading a model where it works, by its URI."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Protocol

from adabldm.options import SamplerOptions
from cluster.model_check import EMBEDDED, is_sleeping, model_files, model_location
from cluster.sleeping import SleepingPipeline
from cluster.storage import Location

MODELS_KEPT = 2


class ModelFault(ValueError):
    """A model that cannot be loaded; the message says why."""


class Backend(Protocol):
    """What a worker calls; see :meth:`adabldm.pipeline.AdaBLDMPipeline.__call__`."""

    def __call__(
        self,
        *,
        images: Any,
        trimaps: Any,
        prompts: Any,
        negative_prompts: Any,
        seeds: Any,
        options: SamplerOptions,
        compute_batch: int | None,
    ) -> Any: ...


def load_backend(uri: str, device: str, fingerprint: str) -> Backend:
    """The pipeline at ``uri`` on ``device`` (``cpu`` or ``cuda``). Raises :class:`ModelFault`.

    ``fingerprint`` (of :func:`cluster.model_check.model_fingerprint`) names a remote model's local
    copy.
    """
    try:
        if is_sleeping(uri):
            return SleepingPipeline(uri)
        return _load_pipeline(uri, device, fingerprint)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise ModelFault(f"model: {uri!r}: cannot be loaded: {lines[0]}") from error


def _load_pipeline(uri: str, device: str, fingerprint: str) -> Backend:
    import torch

    from adabldm.bases import open_base
    from adabldm.devices import make_repeatable

    make_repeatable(torch.device(device))
    pipeline = open_base(local_model(uri, fingerprint).path)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def local_model(uri: str, fingerprint: str) -> Location:
    """Where the files of model ``uri`` are on this machine; a remote model is fetched once."""
    place = model_location(uri)
    return place if uri == EMBEDDED or place.is_local else _fetched(place, fingerprint)


def _fetched(place: Location, fingerprint: str) -> Location:
    """A local copy of a remote model, fetched once a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adabldm" / "models"
    kept = cache / fingerprint
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        for name, file in model_files(place):
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            file.fs.get_file(file.path, str(target))
        try:
            fresh.rename(kept)
        except OSError:  # Another worker of this machine was faster.
            shutil.rmtree(fresh)
    return Location.of(str(kept if place.is_folder() else kept / place.name))


class Backends:
    """The backends of one worker: the last few that its rows asked for."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._loaded: dict[str, Backend] = {}

    def get(self, uri: str, fingerprint: str) -> Backend:
        """The backend at ``uri``, loaded if need be. Raises :class:`ModelFault`."""
        backend = self._loaded.pop(uri, None)
        if backend is None:
            while len(self._loaded) >= MODELS_KEPT:
                self._loaded.pop(next(iter(self._loaded)))
            backend = load_backend(uri, self._device, fingerprint)
        self._loaded[uri] = backend
        return backend
