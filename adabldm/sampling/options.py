"""What a user may choose about sampling, a class a mode, and what is told about each request."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Boundary = int | float
"""A step (int) or a fraction of all steps (float in 0..1)."""
Resolution = Literal["native", "model"]
"""``native``: defects are drawn in windows at the picture's own scale, and the result has its
size; ``model``: the whole picture is brought to the model's size, as in the paper."""

Solver = Literal["dpm-solver++", "unipc", "ddim"]
MAX_FAST_STEPS = 200
TRAINED_STEPS = 1000
"""Steps of the diffusion that the models are trained on."""


@dataclass(frozen=True, kw_only=True)
class ExactOptions:
    """Mode ``exact``: the paper's procedure; the defaults are the paper's (section IV-A).

    ``steps`` DDIM steps asked for (the schedule has ``1000 // (1000 // steps)`` or one more);
    ``guidance`` classifier-free guidance scale; ``eta`` 0 is DDIM, 1 is DDPM;
    ``latent_editing_start`` / ``image_editing_start`` where stages begin (free diffusion before,
    latent editing up to and including the first image-editing step);
    ``adaptation_steps`` AdamW steps of the decoder at ``adaptation_rate``, background weighted by
    ``background_weight``; ``resolution`` of the result (the paper's is ``model``).

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    mode: Literal["exact"] = "exact"
    steps: int = 50
    guidance: float = 9.0
    eta: float = 0.0
    latent_editing_start: Boundary = 0.52
    image_editing_start: Boundary = 0.9
    adaptation_steps: int = 200
    adaptation_rate: float = 1e-4
    background_weight: float = 100.0
    resolution: Resolution = "native"

    def __post_init__(self) -> None:
        _require_mode("exact", self)
        _require_legal_stages(self)

    @property
    def smoothness(self) -> None:
        """No correction in closed form follows the decoder's training."""
        return None


SamplerOptions = ExactOptions
"""The paper's options by their public name."""


@dataclass(frozen=True, kw_only=True)
class FastOptions:
    """Mode ``fast``: the same three stages with about thirty times less arithmetic.

    Fields that :class:`ExactOptions` has too mean the same; ``eta`` is 0, the solver draws nothing.
    Every departure from ``exact`` has a field that takes it back.

    * ``steps`` U-Net calls in all, spread as :func:`adabldm.sampling.fast.fast_schedule` says.
    * ``solver``: ``dpm-solver++`` (second order, multistep), ``unipc`` (the same with each step
      corrected by the next one's prediction) or ``ddim`` (its first order).
    * ``latent_editing_start`` and ``image_editing_start`` are fractions of the diffusion's time and
      stand for the noise level there, whatever the number of steps. Latents are edited from the
      first step on, so that a defect is drawn for the ground it lies on.
    * ``image_edits``: the last steps, all of which edit the image; the paper's 50 steps have 5.
      Each cuts what was decoded to the mask and encodes it again, which wears thin defects away.
    * ``guidance``: few steps of a second-order solver overshoot at the paper's 9, to colours and
      contrasts that no real defect has.
    * ``guided_edits``: whether these steps are guided; else the prompt's prediction is taken alone.
    * ``strength``: where a request has a start, a picture that shows such a defect there already,
      the drawing starts from it, noised to this share of the diffusion's time (SDEdit, Meng et al.,
      2022): near 0 the start's own defect, 1 from noise alone, as without a start.
    * ``detail``: the share, 0..1, of what the autoencoder and a shrunk window do not keep of a
      start's picture (its finest lines, its full contrast) that is put back in the drawn defect.
    * ``smoothness``: of the correction that takes the place of decoder training
      (:func:`~adabldm.sampling.closed_form.smooth_correction`), in squared pixels; None: none.
    * ``adaptation_steps``: decoder steps as in ``exact``, made before the correction; none needed.

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    mode: Literal["fast"] = "fast"
    steps: int = 10
    guidance: float = 3.0
    eta: float = 0.0
    latent_editing_start: float = 0.0
    image_editing_start: float = 0.9
    adaptation_steps: int = 0
    adaptation_rate: float = 1e-4
    background_weight: float = 100.0
    solver: Solver = "dpm-solver++"
    image_edits: int = 1
    guided_edits: bool = False
    strength: float = 0.5
    detail: float = 1.0
    smoothness: float | None = 20.0
    resolution: Resolution = "native"

    def __post_init__(self) -> None:
        _require_mode("fast", self)
        _require_legal_stages(self)
        self._require_noise_levels()
        _require(self.eta == 0, "eta", self.eta, "must be 0 in fast: its solver draws nothing")
        solvers = get_args(Solver)
        _require(self.solver in solvers, "solver", self.solver, f"one of {', '.join(solvers)}")
        strength = self.strength
        _require(0 < strength <= 1, "strength", strength, "must be above 0, at most 1")
        _require(0 <= self.detail <= 1, "detail", self.detail, "must be in 0..1")
        self._require_legal_correction()

    def _require_noise_levels(self) -> None:
        """Both boundaries are fractions, and there is room for all steps before and after them."""
        for name in ("latent_editing_start", "image_editing_start"):
            value = getattr(self, name)
            rule = "must be a fraction (float): a step is no noise level"
            _require(isinstance(value, float), name, value, rule)
        edits = self.image_edits
        _require(edits >= 0, "image_edits", edits, "must be >= 0")
        _require(
            edits < self.steps <= MAX_FAST_STEPS,
            "steps",
            self.steps,
            f"must be in {edits + 1}..{MAX_FAST_STEPS} in fast (image_edits are {edits})",
        )
        start, latest = self.image_editing_start, 1 - edits / TRAINED_STEPS
        _require(
            0.5 <= start <= latest,
            "image_editing_start",
            start,
            f"must be in 0.5..{latest} in fast (image_edits are {edits})",
        )

    def _require_legal_correction(self) -> None:
        smooth, weight = self.smoothness, self.background_weight
        legal = smooth is None or (math.isfinite(smooth) and smooth >= 0)
        _require(legal, "smoothness", smooth, "must be None, or finite and >= 0")
        legal = smooth is None or weight > 0
        _require(legal, "background_weight", weight, "must be > 0 for the correction")


ModeOptions = ExactOptions | FastOptions
"""The options of whichever mode was chosen."""


def options_of(mode: str, **chosen: Any) -> ModeOptions:
    """The options of ``mode`` with the fields ``chosen``; the rest is the mode's own default.

    Raises ``ValueError`` for an unknown mode or an illegal value.
    """
    kinds: dict[str, type[ModeOptions]] = {"exact": ExactOptions, "fast": FastOptions}
    _require(mode in kinds, "mode", mode, f"must be one of {', '.join(kinds)}")
    return kinds[mode](**chosen)


def first_step(boundary: Boundary, steps: int) -> int:
    """The first step of the stage that begins at ``boundary``, in a schedule of ``steps``."""
    return round(boundary * steps) if isinstance(boundary, float) else boundary


def _require(legal: bool, name: str, value: object, rule: str) -> None:
    if not legal:
        raise ValueError(f"{name}: {value!r}: {rule}")


def _require_mode(own: str, options: ModeOptions) -> None:
    rule = f"{type(options).__name__} are {own!r}; see options_of"
    _require(options.mode == own, "mode", options.mode, rule)


def _require_legal_stages(options: ModeOptions) -> None:
    """What holds for the three stages in either mode."""
    resolutions = get_args(Resolution)
    rule = f"must be one of {', '.join(resolutions)}"
    _require(options.resolution in resolutions, "resolution", options.resolution, rule)
    steps, adaptation_steps = options.steps, options.adaptation_steps
    _require(1 <= steps <= 1000, "steps", steps, "must be in 1..1000")
    for name in ("guidance", "eta", "adaptation_rate", "background_weight"):
        value = getattr(options, name)
        _require(math.isfinite(value) and value >= 0, name, value, "must be finite, >= 0")
    _require(options.eta <= 1, "eta", options.eta, "must be in 0..1")
    _require(adaptation_steps >= 0, "adaptation_steps", adaptation_steps, ">= 0")
    for name in ("latent_editing_start", "image_editing_start"):
        value = getattr(options, name)
        limit = 1.0 if isinstance(value, float) else steps
        _require(0 <= value <= limit, name, value, f"must be in 0..{limit}")
    latent, image = options.latent_editing_start, options.image_editing_start
    _require(
        first_step(latent, steps) <= first_step(image, steps),
        "latent_editing_start",
        latent,
        f"must not come after image_editing_start ({image})",
    )


@dataclass(frozen=True, kw_only=True)
class RequestTrace:
    """Facts of one request: ``losses`` of every adaptation step (and, in ``fast``, before and after
    the correction), ``seconds`` by stage (its share of the batch), and ``quality`` figures by name
    (see :mod:`adabldm.judging.pair`)."""

    losses: tuple[float, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)
