"""The training loop: one process or many, killed and continued, with the same examples in order.

A phase (:class:`Phase`) is what is trained and on what; where it runs, and where its checkpoints
go, is not known here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from adabldm.training.muon import Muon
from adabldm.training.options import TrainOptions

REPORT_SECONDS = 10.0
State = dict[str, Any]


class Phase(Protocol):
    """What is trained and on what.

    ``module(*batch)`` gives losses (n,), one an example; what of it is trained has
    ``requires_grad``. ``batch(indices)`` makes the tensors of examples, each a function of its
    index alone. ``look(module)`` draws from a module with the averaged weights: figures, and a
    picture uint8 (H, W, 3) or None.
    """

    @property
    def name(self) -> str: ...

    @property
    def module(self) -> nn.Module: ...

    def batch(self, indices: Sequence[int]) -> tuple[torch.Tensor, ...]: ...

    def look(self, module: nn.Module) -> tuple[dict[str, float], np.ndarray | None]: ...


class CheckpointStore(Protocol):
    """Where a phase's checkpoints, log and pictures go. Only the first process writes."""

    def load(self) -> State | None:
        """The last checkpoint that is whole, on the CPU."""

    def save(self, step: int, state: State) -> None: ...

    def log(self, step: int, facts: dict[str, float]) -> None: ...

    def picture(self, step: int, pixels: np.ndarray) -> None: ...


@dataclass(frozen=True)
class Peers:
    """This process among those that train together."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Peers:
        """As torch.distributed says; alone without it."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()


def indices_of(options: TrainOptions, peers: Peers, step: int) -> list[list[int]]:
    """The examples of this process in step ``step``, a list an accumulated part.

    Step s has examples ``s * batch_size`` and following, however many processes share them.
    """
    parts = options.accumulate * peers.size
    part = options.batch_size // parts
    if part * parts != options.batch_size:
        rule = f"must be a multiple of accumulate times processes ({parts})"
        raise ValueError(f"batch_size: {options.batch_size!r}: {rule}")
    first = step * options.batch_size
    starts = [first + (a * peers.size + peers.rank) * part for a in range(options.accumulate)]
    return [list(range(start, start + part)) for start in starts]


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of ``module`` that are trained, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


class Trainer:
    """Trains ``phase`` on ``device`` as one of ``peers``; continues where ``store`` left off.

    On a GPU that knows bfloat16 the forward pass is in it (autocast); weights, their average and
    the optimizer's state are float32 everywhere.
    """

    def __init__(
        self,
        phase: Phase,
        options: TrainOptions,
        store: CheckpointStore,
        *,
        device: torch.device | None = None,
        peers: Peers | None = None,
    ) -> None:
        self.phase, self.options, self.store = phase, options, store
        self.device = device or torch.device("cpu")
        self.peers = peers or Peers.here()
        indices_of(options, self.peers, 0)
        self.module = phase.module.to(self.device)
        self.weights = trained(self.module)
        self.optimizers = _optimizers(self.module, self.weights, options)
        self._rates = [group["lr"] for o in self.optimizers for group in o.param_groups]
        self.averaged: dict[str, torch.Tensor] | None = None
        if options.ema and self.peers.rank == 0:
            self.averaged = {name: p.detach().clone() for name, p in self.weights.items()}
        self.step = 0
        self._resume()
        self._together: nn.Module = self.module
        if self.peers.size > 1:
            self._together = nn.parallel.DistributedDataParallel(self.module)

    def _resume(self) -> None:
        state = self.store.load()
        if state is None:
            return
        with torch.no_grad():
            for name, parameter in self.weights.items():
                parameter.copy_(state["weights"][name])
        for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        if self.averaged is not None:
            self.averaged = {k: v.to(self.device) for k, v in state["averaged"].items()}
        self.step = state["step"]

    def state(self) -> State:
        """Everything that a later run needs to go on from here."""
        return {
            "weights": {name: p.detach() for name, p in self.weights.items()},
            "averaged": self.averaged,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
        }

    def run(self) -> dict[str, torch.Tensor]:
        """Train to the end; the trained weights by name (their average with ``ema``)."""
        progress = _Progress(self.options.steps, self.step)
        for batches in self._batches():
            progress.add(self._update(batches))
            last = self.step == self.options.steps
            saves = last or self.step % self.options.save_every == 0
            if self.peers.rank == 0:
                if saves:
                    self.store.save(self.step, self.state())
                if last or self.step % self.options.look_every == 0:
                    self.look()
                if saves or progress.is_due():
                    self.store.log(self.step, progress.facts(self.step))
        return self.result()

    def result(self) -> dict[str, torch.Tensor]:
        """The trained weights by name, or their average."""
        return self.averaged or {name: p.detach() for name, p in self.weights.items()}

    def _batches(self) -> Iterator[list[tuple[torch.Tensor, ...]]]:
        """The parts of each step that is left; the next ones are made while one computes."""

        def make(step: int) -> list[tuple[torch.Tensor, ...]]:
            with torch.no_grad():
                parts = indices_of(self.options, self.peers, step)
                return [self.phase.batch(part) for part in parts]

        steps = range(self.step, self.options.steps)
        with ThreadPoolExecutor(1, thread_name_prefix="examples") as pool:
            following = pool.submit(make, steps[0]) if steps else None
            for step in steps:
                assert following is not None  # noqa: S101
                current = following.result()
                following = pool.submit(make, step + 1) if step + 1 in steps else None
                yield current

    def _update(self, parts: Sequence[tuple[torch.Tensor, ...]]) -> torch.Tensor:
        """One step of the optimizers; this process's mean loss, which nobody waits for here."""
        share = self.options.share(self.step)
        groups = [group for o in self.optimizers for group in o.param_groups]
        for group, rate in zip(groups, self._rates, strict=True):
            group["lr"] = rate * share
        total = torch.zeros((), device=self.device)
        for number, part in enumerate(parts):
            with self._unsynced(number + 1 < len(parts)), _autocast(self.device):
                moved = [one.to(self.device, non_blocking=True) for one in part]
                loss = self._together(*moved).float().mean() / len(parts)
                loss.backward()
            total += loss.detach()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self._average()
        self.step += 1
        return total

    def _unsynced(self, wanted: bool) -> AbstractContextManager:
        """Gradients of all but the last part stay in this process."""
        if wanted and isinstance(self._together, nn.parallel.DistributedDataParallel):
            return self._together.no_sync()
        return nullcontext()

    @torch.no_grad()
    def _average(self) -> None:
        if self.averaged is not None:
            decay = min(self.options.ema, (1 + self.step) / (10 + self.step))
            averages = [self.averaged[name] for name in self.weights]
            torch._foreach_lerp_(averages, list(self.weights.values()), 1 - decay)

    @torch.no_grad()
    def look(self) -> None:
        """Show what the averaged weights do; the training goes on with its own."""
        own = {name: p.data for name, p in self.weights.items()}
        for name, value in self.result().items():
            self.weights[name].data = value
        self.module.eval()
        try:
            figures, picture = self.phase.look(self.module)
        finally:
            self.module.train()
            for name, value in own.items():
                self.weights[name].data = value
        if figures:
            self.store.log(self.step, figures)
        if picture is not None:
            self.store.picture(self.step, picture)


def _optimizers(
    module: nn.Module, weights: dict[str, nn.Parameter], options: TrainOptions
) -> list[torch.optim.Optimizer]:
    rate, decay = options.learning_rate, options.weight_decay
    if options.optimizer == "adamw":
        return [torch.optim.AdamW(weights.values(), lr=rate, weight_decay=decay)]
    tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    matrices = [p for p in weights.values() if p.ndim >= 2 and id(p) not in tables]
    vectors = [p for p in weights.values() if p.ndim < 2 or id(p) in tables]
    return [
        Muon(matrices, lr=rate, weight_decay=decay),
        torch.optim.AdamW(vectors, lr=options.vector_rate, weight_decay=decay),
    ]


def _autocast(device: torch.device) -> AbstractContextManager:
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


class _Progress:
    """Loss, rate and time left since this run began at step ``first`` of ``steps``."""

    def __init__(self, steps: int, first: int) -> None:
        self._steps, self._first = steps, first
        self._began = self._told = time.monotonic()
        self._recent: torch.Tensor | None = None

    def add(self, loss: torch.Tensor) -> None:
        self._recent = loss if self._recent is None else 0.98 * self._recent + 0.02 * loss

    def is_due(self) -> bool:
        return time.monotonic() - self._told >= REPORT_SECONDS

    def facts(self, step: int) -> dict[str, float]:
        self._told = time.monotonic()
        rate = (step - self._first) / (self._told - self._began + 1e-9)
        return {
            "loss": round(0.0 if self._recent is None else float(self._recent), 6),
            "steps_per_s": round(rate, 3),
            "seconds_left": round((self._steps - step) / max(rate, 1e-9), 1),
        }


def copy_of(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights apart from the module that goes on training, on the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}
