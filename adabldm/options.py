"""What a user may choose about sampling, and what is told about each request."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

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

    def __post_init__(self) -> None:
        _require(self.mode != "exact", "mode", self.mode, "the only mode is 'exact'")
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


def boundary_step(boundary: Boundary, steps: int) -> int:
    """The step a boundary names in a schedule of ``steps``."""
    return round(boundary * steps) if isinstance(boundary, float) else boundary


@dataclass(frozen=True, kw_only=True)
class RequestTrace:
    """Facts of one request: ``losses`` of every adaptation step, ``seconds`` by stage (its share
    of the batch), and ``quality`` figures by name (see :mod:`adabldm.metrics`)."""

    losses: tuple[float, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)
