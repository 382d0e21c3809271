"""The models and branches of one worker, loaded by their URIs and kept while they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.models.kinds import Backend, kind_of
from cluster.models.local_copies import local_branch

if TYPE_CHECKING:
    from adabldm.branches.swapper import Swapper

MODELS_KEPT = 2


class ModelFault(ValueError):
    """A model that cannot be loaded; the message says why."""


def load_backend(uri: str, device: str, fingerprint: str) -> Backend:
    """The pipeline at ``uri`` on ``device`` (``cpu`` or ``cuda``). Raises :class:`ModelFault`.

    ``fingerprint`` (of :class:`~cluster.models.inspect.ModelFacts`) names a remote model's local
    copy.
    """
    try:
        return kind_of(uri).load(uri, device, fingerprint)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise ModelFault(f"model: {uri!r}: cannot be loaded: {lines[0]}") from error


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
            loaded = backend, kind_of(uri).swapper(backend)
        self._loaded[uri] = loaded
        backend, swapper = loaded
        if swapper is not None:
            _swap(swapper, branch, branch_fingerprint or "")
        return backend


def _swap(swapper: Swapper, branch: str | None, fingerprint: str) -> None:
    if branch is None:
        swapper.use(None)
    elif not swapper.use_hot(fingerprint):
        try:
            swapper.use(local_branch(branch, fingerprint))
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise ModelFault(f"branch: {branch!r}: cannot be used: {lines[0]}") from error
