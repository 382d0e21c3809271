"""What a user may choose about training; needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from adabldm.sampling.options import Resolution

BRANCH = "branch"
"""The one phase of a branch's training."""
PHASES = ("autoencoder", "refinement", "unet", "control")
"""The phases of a whole model's training, in order."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How long and how fast a phase trains; the defaults are the paper's (section IV-A): 10 epochs
    of 20,000 pairs, four a step.

    ``batch_size`` examples a step, over all processes and accumulated parts; ``accumulate`` parts
    that each process works on one after the other. ``optimizer`` ``adamw``, or ``muon`` (matrices
    by Muon, everything else by AdamW at ``vector_rate``). The rate warms up over ``warmup`` steps;
    ``decay`` lets it fall linearly to 0. ``ema`` is the decay of the weights' moving average, which
    is then the result; 0 keeps none. A checkpoint and a look every so many steps.

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    steps: int = 50_000
    batch_size: int = 4
    accumulate: int = 1
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = 1e-5
    vector_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: int = 0
    decay: bool = False
    ema: float = 0.0
    save_every: int = 500
    look_every: int = 1000

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "save_every", "look_every"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name}: {value!r}: must be 1 or more")
        for name in ("learning_rate", "vector_rate", "weight_decay"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name}: {value!r}: must be finite, >= 0")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema: {self.ema!r}: must be in 0..1, below 1")
        if self.warmup < 0:
            raise ValueError(f"warmup: {self.warmup!r}: must be 0 or more")
        if self.batch_size % self.accumulate:
            rule = f"must be a multiple of accumulate ({self.accumulate})"
            raise ValueError(f"batch_size: {self.batch_size!r}: {rule}")

    def share(self, step: int) -> float:
        """The part of the full rate that step ``step`` uses, 0..1."""
        rising = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return min(rising, 1 - step / self.steps) if self.decay else rising


PAPER = TrainOptions()


@dataclass(frozen=True, kw_only=True)
class BranchOptions:
    """How a branch is trained; the defaults are the paper's (section IV-A).

    ``pairs`` pasted pairs are drawn, and seen again in another order once all were; ``prompt_drop``
    of them have the empty text instead of their prompt; ``min_snr`` is the gamma of min-SNR
    weighting (None: equation 2 as it is); ``defect_weight`` adds the mean loss under each picture's
    defect; ``decoder_half`` unlocks the U-Net's decoder half; ``resolution`` is that of the
    examples (:class:`adabldm.training.examples.ExampleStream`).

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    train: TrainOptions = PAPER
    pairs: int = 20_000
    prompt_drop: float = 0.1
    min_snr: float | None = None
    defect_weight: float = 0.0
    decoder_half: bool = False
    resolution: Resolution = "native"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ValueError(f"pairs: {self.pairs!r}: must be 1 or more")
        if not 0 <= self.prompt_drop <= 1:
            raise ValueError(f"prompt_drop: {self.prompt_drop!r}: must be in 0..1")
        if self.min_snr is not None and not self.min_snr > 0:
            raise ValueError(f"min_snr: {self.min_snr!r}: must be above 0")
        if not (math.isfinite(self.defect_weight) and self.defect_weight >= 0):
            raise ValueError(f"defect_weight: {self.defect_weight!r}: must be finite, >= 0")

    @property
    def phases(self) -> dict[str, TrainOptions]:
        """How its one phase is trained, by its name."""
        return {BRANCH: self.train}


PAPER_BRANCH = BranchOptions()


def embedded_branch(*, on_gpu: bool) -> BranchOptions:
    """How a branch of the embedded model is trained by default: in minutes.

    That model is small and was trained on few pictures, so a new product moves more of it, faster;
    a CPU takes fewer steps than a GPU.
    """
    return BranchOptions(
        train=TrainOptions(
            steps=2000 if on_gpu else 240,
            batch_size=16 if on_gpu else 8,
            learning_rate=3e-4,
            warmup=20,
            decay=True,
            ema=0.98,
            save_every=100,
        ),
        pairs=8000 if on_gpu else 1600,
        defect_weight=2.0,
        decoder_half=True,
    )


_FRESH = TrainOptions(
    optimizer="muon",
    learning_rate=0.02,
    warmup=50,
    decay=True,
    ema=0.998,
    save_every=100,
    look_every=400,
)
_FURTHER = replace(_FRESH, learning_rate=0.01, vector_rate=1e-3)
"""For a phase that goes on with what one before it has trained."""
_AUTOENCODER = replace(_FRESH, steps=1500, batch_size=16)
_REFINEMENT = replace(_FURTHER, steps=400, batch_size=4)
_UNET = replace(_FRESH, steps=1100, batch_size=16)
_CONTROL = replace(_FURTHER, steps=1600, batch_size=16)


GPU_PHASES: dict[str, dict[str, int]] = {
    "autoencoder": {"steps": 8000, "batch_size": 64},
    "refinement": {"steps": 1500, "batch_size": 64},
    "unet": {"steps": 2000, "batch_size": 256},
    "control": {"steps": 5000, "batch_size": 256},
}
TIME_SHARES = {"autoencoder": 0.2, "refinement": 0.04, "unet": 0.2, "control": 0.56}
"""Of a training's minutes, by phase."""


@dataclass(frozen=True, kw_only=True)
class WholeModelOptions:
    """How each phase of a small model is trained.

    The autoencoder sees quarter-size windows (``autoencoder``); then its decoder alone sees whole
    pictures (``refinement``), which leaves the latents as they are. The U-Net comes next, then the
    control branch and the U-Net together (``control``). ``pool`` examples are encoded for these
    two.

    ``resident``: examples are made ahead by several processes and lie on the device, as a GPU wants
    them (:mod:`adabldm.training.resident`); the autoencoder then sees windows of the whole size.
    ``minutes``: the phases' steps are set by what the device does in that time
    (:data:`TIME_SHARES`).

    Raises ``ValueError`` naming the field.
    """

    autoencoder: TrainOptions = _AUTOENCODER
    refinement: TrainOptions = _REFINEMENT
    unet: TrainOptions = _UNET
    control: TrainOptions = _CONTROL
    pool: int = 6000
    resident: bool = False
    minutes: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pool < 1:
            raise ValueError(f"pool: {self.pool!r}: must be 1 or more")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes: {self.minutes!r}: must be above 0")

    @classmethod
    def on_gpu(cls, minutes: float | None = None, seed: int = 0) -> WholeModelOptions:
        """For a GPU: batches that fill it, and several times as many steps and examples."""
        longer = {
            name: replace(one, **GPU_PHASES[name], look_every=2000, save_every=1000)  # type: ignore[arg-type]
            for name, one in cls().phases.items()
        }
        return cls(**longer, pool=40_000, resident=True, minutes=minutes, seed=seed)

    @property
    def phases(self) -> dict[str, TrainOptions]:
        """How each phase is trained, in order, by its name."""
        return {name: getattr(self, name) for name in PHASES}

    @property
    def steps(self) -> int:
        """Of all phases together."""
        return sum(phase.steps for phase in self.phases.values())

    @classmethod
    def of(cls, steps: int | None, *, accumulate: int, seed: int) -> WholeModelOptions:
        """The phases shortened or lengthened to about ``steps`` together (None: as they are).

        Raises ``ValueError`` naming the field.
        """
        plain = cls(seed=seed)
        ratio = 1.0 if steps is None else steps / plain.steps
        changed: dict[str, Any] = {
            name: replace(one, steps=max(1, round(one.steps * ratio)), accumulate=accumulate)
            for name, one in plain.phases.items()
        }
        return replace(plain, **changed)
