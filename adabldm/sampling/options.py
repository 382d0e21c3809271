"""What a user may choose about sampling, and what is told about each request."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Boundary = int | float
"""A step (int) or a fraction of all steps (float in 0..1)."""


def _require(fault: bool, name: str, value: object, rule: str) -> None:
    if fault:
        raise ValueError(f"{name}: {value!r}: {rule}")


@dataclass(frozen=True, kw_only=True)
class SamplerOptions:
    """The three stages' settings; the defaults are the paper's (section IV-A).

    ``steps`` DDIM steps asked for (the schedule has ``1000 // (1000 // steps)`` or one more);
    ``guidance`` classifier-free guidance scale; ``eta`` 0 is DDIM, 1 is DDPM;
    ``latent_editing_start`` / ``image_editing_start`` where stages begin (free diffusion before,
    latent editing up to and including the first image-editing step);
    ``adaptation_steps`` AdamW steps of the decoder at ``adaptation_rate``, background weighted by
    ``background_weight``.

    Mode ``exact`` is the paper's procedure; ``fast`` is :class:`FastOptions`, and :meth:`of` gives
    the class of a mode by its name.

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    mode: Literal["exact", "fast"] = "exact"
    steps: int = 50
    guidance: float = 9.0
    eta: float = 0.0
    latent_editing_start: Boundary = 0.52
    image_editing_start: Boundary = 0.9
    adaptation_steps: int = 200
    adaptation_rate: float = 1e-4
    background_weight: float = 100.0

    def __post_init__(self) -> None:
        _require(
            self.mode != self._mode(),
            "mode",
            self.mode,
            f"{type(self).__name__} is {self._mode()!r}; see SamplerOptions.of",
        )
        _require(not 1 <= self.steps <= 1000, "steps", self.steps, "must be in 1..1000")
        for name in ("guidance", "eta", "adaptation_rate", "background_weight"):
            value = getattr(self, name)
            _require(not (math.isfinite(value) and value >= 0), name, value, "must be finite, >= 0")
        _require(self.eta > 1, "eta", self.eta, "must be in 0..1")
        _require(self.adaptation_steps < 0, "adaptation_steps", self.adaptation_steps, ">= 0")
        for name in ("latent_editing_start", "image_editing_start"):
            value = getattr(self, name)
            limit = 1.0 if isinstance(value, float) else self.steps
            _require(not 0 <= value <= limit, name, value, f"must be in 0..{limit}")
        _require(
            boundary_step(self.latent_editing_start, self.steps)
            > boundary_step(self.image_editing_start, self.steps),
            "latent_editing_start",
            self.latent_editing_start,
            f"must not come after image_editing_start ({self.image_editing_start})",
        )

    @classmethod
    def _mode(cls) -> str:
        return "exact"

    @staticmethod
    def of(mode: str, **chosen: Any) -> SamplerOptions:
        """The options of ``mode`` with the fields ``chosen``; the rest is the mode's own default.

        Raises ``ValueError`` for an unknown mode or an illegal value.
        """
        kinds = {"exact": SamplerOptions, "fast": FastOptions}
        _require(mode not in kinds, "mode", mode, f"must be one of {', '.join(kinds)}")
        return kinds[mode](**chosen)


Solver = Literal["dpm-solver++", "unipc", "ddim"]
MAX_FAST_STEPS = 200
TRAINED_STEPS = 1000
"""Steps of the diffusion that the models are trained on."""


@dataclass(frozen=True, kw_only=True)
class FastOptions(SamplerOptions):
    """Mode ``fast``: the same three stages with about thirty times less arithmetic.

    Every departure from ``exact`` has a field that takes it back.

    * ``steps`` U-Net calls in all, spread as :func:`adabldm.sampling.fast.fast_schedule` says.
    * ``solver``: ``dpm-solver++`` (second order, multistep), ``unipc`` (the same with each step
      corrected by the next one's prediction) or ``ddim`` (its first order).
    * ``latent_editing_start`` and ``image_editing_start`` are fractions of the diffusion's time and
      stand for the noise level there, whatever the number of steps.
    * ``image_edits``: the last steps, all of which edit the image; the paper's 50 steps have 5.
    * ``guided_edits``: whether these steps are guided; else the prompt's prediction is taken alone.
    * ``smoothness``: of the correction that takes the place of decoder training
      (:func:`~adabldm.sampling.closed_form.smooth_correction`), in squared pixels; None: none.
    * ``adaptation_steps``: decoder steps as in ``exact``, made before the correction; none needed.
    """

    mode: Literal["exact", "fast"] = "fast"
    steps: int = 15
    adaptation_steps: int = 0
    solver: Solver = "dpm-solver++"
    image_edits: int = 5
    guided_edits: bool = False
    smoothness: float | None = 20.0

    @classmethod
    def _mode(cls) -> str:
        return "fast"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("latent_editing_start", "image_editing_start"):
            value = getattr(self, name)
            rule = "must be a fraction (float): a step is no noise level"
            _require(not isinstance(value, float), name, value, rule)
        _require(self.eta != 0, "eta", self.eta, "must be 0 in fast: its solver draws nothing")
        solvers = get_args(Solver)
        _require(self.solver not in solvers, "solver", self.solver, f"one of {', '.join(solvers)}")
        edits = self.image_edits
        _require(edits < 0, "image_edits", edits, "must be >= 0")
        _require(
            not edits < self.steps <= MAX_FAST_STEPS,
            "steps",
            self.steps,
            f"must be in {edits + 1}..{MAX_FAST_STEPS} in fast (image_edits are {edits})",
        )
        start, latest = self.image_editing_start, 1 - edits / TRAINED_STEPS
        _require(
            not 0.5 <= start <= latest,
            "image_editing_start",
            start,
            f"must be in 0.5..{latest} in fast (image_edits are {edits})",
        )
        smooth = self.smoothness
        legal = smooth is None or (math.isfinite(smooth) and smooth >= 0)
        _require(not legal, "smoothness", smooth, "must be None, or finite and >= 0")
        weight = self.background_weight
        unweighted = smooth is not None and weight == 0
        _require(unweighted, "background_weight", weight, "must be > 0 for the correction")


def boundary_step(boundary: Boundary, steps: int) -> int:
    """The step a boundary names in a schedule of ``steps``."""
    return round(boundary * steps) if isinstance(boundary, float) else boundary


@dataclass(frozen=True, kw_only=True)
class RequestTrace:
    """Facts of one request: ``losses`` of every adaptation step (and, in ``fast``, before and after
    the correction), ``seconds`` by stage (its share of the batch), and ``quality`` figures by name
    (see :mod:`adabldm.judging.pair`)."""

    losses: tuple[float, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)
