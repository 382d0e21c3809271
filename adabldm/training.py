"""Training losses and the loop that every phase of training shares."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import nn

from adabldm.muon import Muon


def narrow_posterior(vae: AutoencoderKL, log_variance: float = -8.0) -> None:
    """Start with nearly noiseless latents: wide posteriors teach a decoder to blur fine texture."""
    half = vae.config.latent_channels
    with torch.no_grad():
        vae.quant_conv.weight[half:] = 0
        vae.quant_conv.bias[half:] = log_variance


def autoencoder_loss(
    vae: AutoencoderKL,
    images: torch.Tensor,
    keep: torch.Tensor,
    defect_weight: float,
    kl_weight: float,
) -> torch.Tensor:
    """log MSE a picture + mean absolute error under the defects + weak KL of the latents.

    ``images`` (N, 3, H, W) in [-1, 1]; ``keep`` (N, 1, H, W), 0 on the defects. The logarithm makes
    every picture count alike, dark or bright, as PSNR does; the second term keeps thin defects,
    which image editing passes through the autoencoder five times.
    """
    posterior = vae.encode(images).latent_dist
    error = vae.decode(posterior.sample()).sample - images
    whole = error.square().flatten(1).mean(1).clamp_min(1e-6).log().mean()
    defect = 1 - keep
    inside = (error.abs() * defect).sum() / (images.shape[1] * defect.sum().clamp_min(1))
    return whole + defect_weight * inside + kl_weight * posterior.kl().mean()


def add_noise(
    latents: torch.Tensor, noise: torch.Tensor, alphas_cumprod: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    """q(z_t | z_0), equation 1: latents and noise (N, C, h, w), t (N,) in 0..999."""
    alpha = alphas_cumprod[t].view(-1, 1, 1, 1)
    return alpha.sqrt() * latents + (1 - alpha).sqrt() * noise


def epsilon_loss(predicted: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the predicted noise (equation 2)."""
    return F.mse_loss(predicted, noise)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Length and learning rates of one phase; the rates warm up, then fall linearly to 0.

    ``learning_rate`` is Muon's, for weights of two or more dimensions; ``vector_rate`` is AdamW's,
    for biases, norms and embeddings.
    """

    steps: int
    learning_rate: float
    vector_rate: float = 2e-3
    warmup: int = 50
    ema: float = 0.998
    save_every_s: float = 120.0

    def share(self, step: int) -> float:
        """The part of the full rates that step ``step`` uses, 0..1."""
        return min(1.0, (step + 1) / self.warmup, 1 - step / self.steps)


def _by_kind(modules: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The trained weights that are matrices or kernels, and all others."""
    tables = {id(m.weight) for m in modules.modules() if isinstance(m, nn.Embedding)}
    trained = [p for p in modules.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim >= 2 and id(p) not in tables]
    return matrices, [p for p in trained if p.ndim < 2 or id(p) in tables]


class Trainer:
    """Trains ``modules`` together: Muon and AdamW, EMA, resumable checkpoints, a log of losses.

    ``loss(step)`` computes the loss of a step from nothing but the step's number, so a run that
    was killed continues on the same data order.
    """

    def __init__(self, folder: Path, modules: dict[str, nn.Module], schedule: Schedule) -> None:
        self.folder, self.modules, self.schedule = folder, nn.ModuleDict(modules), schedule
        self.averaged = copy.deepcopy(self.modules).requires_grad_(False)
        matrices, vectors = _by_kind(self.modules)
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=schedule.learning_rate),
            torch.optim.AdamW(vectors, lr=schedule.vector_rate, weight_decay=1e-2),
        ]
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if self._state.exists():
            state = torch.load(self._state, weights_only=True)
            self.modules.load_state_dict(state["modules"])
            self.averaged.load_state_dict(state["averaged"])
            for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(stored)
            self.step = state["step"]

    @property
    def _state(self) -> Path:
        return self.folder / "state.pt"

    def save(self) -> None:
        state = {
            "modules": self.modules.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
        }
        partial = self._state.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._state)

    def _update(self, loss: torch.Tensor) -> None:
        share = self.schedule.share(self.step)
        rates = (self.schedule.learning_rate, self.schedule.vector_rate)
        for optimizer, rate in zip(self.optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * share
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        decay = min(self.schedule.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            pairs: Iterable = zip(
                self.averaged.parameters(), self.modules.parameters(), strict=True
            )
            for average, value in pairs:
                average.lerp_(value, 1 - decay)
        self.step += 1

    def run(
        self, loss: Callable[[int], torch.Tensor], look: Callable[[nn.ModuleDict], dict]
    ) -> nn.ModuleDict:
        """Train to the end of the schedule; ``look(averaged modules)`` measures and draws.

        Returns the averaged modules.
        """
        began, start, saved, recent = time.monotonic(), self.step, time.monotonic(), 0.0
        while self.step < self.schedule.steps:
            value = loss(self.step)
            self._update(value)
            recent = 0.98 * recent + 0.02 * value.item() if self.step > start + 1 else value.item()
            if time.monotonic() - saved > self.schedule.save_every_s:
                self._report(recent, began, start, look)
                saved = time.monotonic()
        if self.step > start:
            self._report(recent, began, start, look)
        return self.averaged

    def _report(self, recent: float, began: float, start: int, look: Callable) -> None:
        self.save()
        rate = (self.step - start) / (time.monotonic() - began + 1e-9)
        left = (self.schedule.steps - self.step) / max(rate, 1e-9)
        facts = {"step": self.step, "loss": round(recent, 5), "steps_per_s": round(rate, 2)}
        facts |= {"minutes_left": round(left / 60, 1)} | look(self.averaged)
        line = json.dumps(facts)
        print(f"{self.folder.name}: {line}", flush=True)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(line + "\n")
