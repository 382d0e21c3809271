"""Training losses and the loop that every phase of training shares."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import nn


def narrow_posterior(vae: AutoencoderKL, log_variance: float = -8.0) -> None:
    """Start with nearly noiseless latents: wide posteriors teach a decoder to blur fine texture."""
    half = vae.config.latent_channels
    with torch.no_grad():
        vae.quant_conv.weight[half:] = 0
        vae.quant_conv.bias[half:] = log_variance


def gradient_loss(decoded: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """L1 of the differences of neighbouring pixels, (N, C, H, W): fine texture counts."""
    difference = decoded - images
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def autoencoder_loss(
    vae: AutoencoderKL, images: torch.Tensor, gradient_weight: float, kl_weight: float
) -> torch.Tensor:
    """L1 + gradient L1 + weak KL of the latents; ``images`` (N, 3, H, W) in [-1, 1]."""
    posterior = vae.encode(images).latent_dist
    decoded = vae.decode(posterior.sample()).sample
    pixels = F.l1_loss(decoded, images) + gradient_weight * gradient_loss(decoded, images)
    return pixels + kl_weight * posterior.kl().mean()


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
    """Length and learning rate of one phase; the rate warms up, then falls as a cosine to 2 %."""

    steps: int
    learning_rate: float
    warmup: int = 100
    ema: float = 0.999
    save_every_s: float = 120.0

    def rate(self, step: int) -> float:
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


class Trainer:
    """Trains ``modules`` together: AdamW, clipping, EMA, resumable checkpoints, a log of losses.

    ``loss(step)`` computes the loss of a step from nothing but the step's number, so a run that
    was killed continues on the same data order.
    """

    def __init__(self, folder: Path, modules: dict[str, nn.Module], schedule: Schedule) -> None:
        self.folder, self.modules, self.schedule = folder, nn.ModuleDict(modules), schedule
        self.averaged = copy.deepcopy(self.modules).requires_grad_(False)
        self.parameters = [p for p in self.modules.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=schedule.learning_rate, weight_decay=1e-2
        )
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if self._state.exists():
            state = torch.load(self._state, weights_only=True)
            self.modules.load_state_dict(state["modules"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = state["step"]

    @property
    def _state(self) -> Path:
        return self.folder / "state.pt"

    def save(self) -> None:
        state = {
            "modules": self.modules.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }
        partial = self._state.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._state)

    def _update(self, loss: torch.Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
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
