"""The kinds of models, by the scheme of their URIs; whatever differs between them is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from adabldm.judging.options import JudgeOptions
from adabldm.sampling.options import ModeOptions
from cluster.models.inspect import ModelFacts, inspect_files
from cluster.models.local_copies import local_model
from cluster.models.sleeping import SleepingPipeline, sleeping_fingerprint
from cluster.models.text_limit import TextLimit, text_limit

if TYPE_CHECKING:
    from adabldm.branches.swapper import Swapper
    from adabldm.pipeline import AdaBLDMPipeline


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
        judge: JudgeOptions | None = None,
        real: Any = None,
        starts: Any = None,
        compute_batch: int | None,
    ) -> Any: ...


class ModelKind(Protocol):
    """What is done with a model of this kind."""

    has_files: bool
    """Whether its files are at its URI, so that a row names it inside the manifest's roots only."""

    def inspect(self, uri: str) -> ModelFacts:
        """Its facts, without loading it. Raises :class:`~adabldm.core.faults.InputFault`."""

    def text_limit(self, uri: str) -> TextLimit | None:
        """How much of a prompt it reads; None: all of it. Raises
        :class:`~adabldm.core.faults.InputFault`."""

    def load(self, uri: str, device: str, fingerprint: str) -> Backend:
        """It, ready to be called on ``device`` (``cpu`` or ``cuda``). Raises what went wrong."""

    def swapper(self, backend: Backend) -> Swapper | None:
        """What puts branches into a loaded one; None where there are no weights to swap."""

    def gflop(self, load: Callable[[], Backend], options: ModeOptions) -> dict[str, float]:
        """GFLOP of an image by part, of the model that ``load`` gives; empty where there is no
        arithmetic."""


class PipelineKind:
    """The method's pipeline, from its files or in the package."""

    has_files = True

    def inspect(self, uri: str) -> ModelFacts:
        return inspect_files(uri)

    def text_limit(self, uri: str) -> TextLimit | None:
        return text_limit(uri)

    def load(self, uri: str, device: str, fingerprint: str) -> Backend:
        import torch

        from adabldm.core.devices import make_repeatable, tune
        from adabldm.loading import open_base

        _quiet()
        make_repeatable(torch.device(device))
        pipeline = open_base(local_model(uri, fingerprint).path)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.to(device)
        tune(pipeline)
        return pipeline

    def swapper(self, backend: Backend) -> Swapper | None:
        from adabldm.branches.swapper import Swapper

        return Swapper(backend)

    def gflop(self, load: Callable[[], Backend], options: ModeOptions) -> dict[str, float]:
        from adabldm.cost.arithmetic import Parts, cost_of_calls, work
        from adabldm.cost.miniature import calls_of

        parts = Parts.of(cast("AdaBLDMPipeline", load()))
        return work(calls_of(options), cost_of_calls(parts, options))


class SleepingKind:
    """A pipeline that only sleeps (:mod:`cluster.models.sleeping`)."""

    has_files = False

    def inspect(self, uri: str) -> ModelFacts:
        return ModelFacts(uri=uri, fingerprint=sleeping_fingerprint(uri))

    def text_limit(self, uri: str) -> TextLimit | None:
        del uri
        return None

    def load(self, uri: str, device: str, fingerprint: str) -> Backend:
        del device, fingerprint
        return SleepingPipeline(uri)

    def swapper(self, backend: Backend) -> Swapper | None:
        del backend
        return None

    def gflop(self, load: Callable[[], Backend], options: ModeOptions) -> dict[str, float]:
        del load, options
        return {}


PIPELINE = PipelineKind()
KINDS: Mapping[str, ModelKind] = {"sleep": SleepingKind()}
"""Kinds that have a URI scheme of their own; any other URI is a pipeline's."""


def kind_of(uri: str) -> ModelKind:
    """The kind of model that ``uri`` names."""
    scheme, separator, _ = uri.partition("://")
    return KINDS.get(scheme, PIPELINE) if separator else PIPELINE


def inspect_model(uri: str) -> ModelFacts:
    """The facts of the model at ``uri``, without loading it.

    Raises :class:`InputFault` for a model that is not there, is not whole or holds pickled code.
    """
    return kind_of(uri).inspect(uri)


def _quiet() -> None:
    """Keep what the libraries say while they load a model out of what is told."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for one in (diffusers_logging, transformers_logging):
        one.set_verbosity_error()
        one.disable_progress_bar()
