"""Which functions make up the modes ``exact`` and ``fast``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from adabldm.core.devices import half_precision
from adabldm.sampling import closed_form, decoder_adaptation, exact, fast
from adabldm.sampling.decoder_adaptation import Adapted
from adabldm.sampling.options import ExactOptions, FastOptions, ModeOptions

Options = TypeVar("Options", ExactOptions, FastOptions)


@dataclass(frozen=True, kw_only=True)
class Mode(Generic[Options]):
    """One way through the three stages.

    ``sample(vae, predictor, good, alphas_cumprod, noise, options)`` makes stages 1 and 2 and
    returns the final latents, computed within ``precision(device)``; ``adapt(vae, latents, blended,
    good, options)`` makes stage 3; ``trial(options)`` are options with as little work as still
    takes their memory.
    """

    sample: Callable[..., torch.Tensor]
    adapt: Callable[..., list[Adapted]]
    trial: Callable[[Options], Options]
    precision: Callable[[torch.device], AbstractContextManager[Any]]


EXACT = Mode[ExactOptions](
    sample=exact.sample,
    adapt=decoder_adaptation.adapt,
    trial=exact.trial,
    precision=nullcontext,  # the weights' own, on every device
)
FAST = Mode[FastOptions](
    sample=fast.sample,
    adapt=closed_form.adapt,
    trial=fast.trial,
    precision=half_precision,
)
MODES: dict[str, Mode[Any]] = {"exact": EXACT, "fast": FAST}


def mode_of(options: ModeOptions) -> Mode[Any]:
    """The mode that ``options`` are of."""
    return MODES[options.mode]
