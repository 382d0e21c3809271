"""Loading models and branches where they work, by their URIs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from adabldm.branches.card import CARD, WEIGHTS, BranchFault
from adabldm.sampling.options import ModeOptions
from cluster.models.inspect import EMBEDDED, is_sleeping, model_files, model_location
from cluster.models.sleeping import SleepingPipeline
from cluster.storage.local_cache import fetched
from cluster.storage.location import Location, location

if TYPE_CHECKING:
    from adabldm.branches.files import Branch
    from adabldm.branches.swapper import Swapper

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
        options: ModeOptions,
        compute_batch: int | None,
    ) -> Any: ...


def load_backend(uri: str, device: str, fingerprint: str) -> Backend:
    """The pipeline at ``uri`` on ``device`` (``cpu`` or ``cuda``). Raises :class:`ModelFault`.

    ``fingerprint`` (of :func:`cluster.models.inspect.model_fingerprint`) names a remote model's
    local copy.
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

    from adabldm.core.devices import make_repeatable, tune
    from adabldm.loading import open_base

    make_repeatable(torch.device(device))
    pipeline = open_base(local_model(uri, fingerprint).path)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    tune(pipeline)
    return pipeline


def local_model(uri: str, fingerprint: str) -> Location:
    """Where the files of model ``uri`` are on this machine; a remote model is fetched once."""
    place = model_location(uri)
    if uri == EMBEDDED or place.is_local:
        return place
    folder = fetched("models", fingerprint, model_files(place))
    return Location.of(str(folder if place.is_folder() else folder / place.name))


def _local_branch(uri: str, fingerprint: str) -> Branch:
    """The branch in the folder ``uri``; a remote one is fetched once a machine."""
    from adabldm.branches.files import load_branch

    place = location("branch", uri)
    if place.is_local:
        folder = Path(place.path)
    else:
        files = [(name, place.join(name)) for name in (CARD, WEIGHTS)]
        folder = fetched("branches", fingerprint, files, check=load_branch)
    branch = load_branch(folder)
    if branch.card.fingerprint != fingerprint:
        raise BranchFault(CARD, uri, "is not the branch that was checked")
    return branch


class Backends:
    """The backends of one worker: the last few bases that its rows asked for, each with the
    branches that it used last."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._loaded: dict[str, tuple[Backend, Swapper | None]] = {}

    def get(
        self,
        uri: str,
        fingerprint: str,
        branch: str | None = None,
        branch_fingerprint: str | None = None,
    ) -> Backend:
        """The backend at ``uri`` with ``branch`` (a folder's URI) in place, or without one.

        What is not in memory is loaded. Raises :class:`ModelFault`.
        """
        loaded = self._loaded.pop(uri, None)
        if loaded is None:
            while len(self._loaded) >= MODELS_KEPT:
                self._loaded.pop(next(iter(self._loaded)))
            backend = load_backend(uri, self._device, fingerprint)
            loaded = backend, _swapper(backend)
        self._loaded[uri] = loaded
        backend, swapper = loaded
        if swapper is not None:
            _swap(swapper, branch, branch_fingerprint or "")
        return backend


def _swapper(backend: Backend) -> Swapper | None:
    """What swaps the backend's branches; a pipeline that only sleeps has no weights to swap."""
    if isinstance(backend, SleepingPipeline):
        return None
    from adabldm.branches.swapper import Swapper

    return Swapper(backend)


def _swap(swapper: Swapper, branch: str | None, fingerprint: str) -> None:
    if branch is None:
        swapper.use(None)
    elif not swapper.use_hot(fingerprint):
        try:
            swapper.use(_local_branch(branch, fingerprint))
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise ModelFault(f"branch: {branch!r}: cannot be used: {lines[0]}") from error
