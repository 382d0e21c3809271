"""Muon: momentum whose every matrix is made orthogonal (Jordan et al. 2024).

Plain gradient steps learn the fine, faint patterns of a small autoencoder last, because
the directions of a weight's gradient differ in size by orders of magnitude; here all get a step of
the same size.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration; they bring singular values into about 0.7..1.2 in five rounds."""


def orthogonalize(matrix: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """About U V^T of ``matrix`` = U S V^T, (..., m, n), by the Newton-Schulz iteration.

    Every round multiplies by a polynomial of the Gram matrix, so for a long matrix the rounds are
    made on its small Gram matrix alone.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    gram = x @ x.mT
    product: torch.Tensor | None = None
    for left in reversed(range(rounds)):
        factor = b * gram + c * gram @ gram
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        product = factor if product is None else factor @ product
        if left:
            gram = factor @ gram @ factor
    x = x if product is None else product @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions, each seen as a matrix (out, everything else).

    ``lr`` is the step's spectral norm for a matrix at most as tall as wide; a taller one's is
    larger by the root of its ratio. ``weight_decay`` is decoupled. torch's own ``optim.Muon``
    takes matrices only.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        if closure is not None:
            raise ValueError("closure: Muon computes no loss")
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[torch.Tensor]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    alike.setdefault((len(weight), weight[0].numel()), []).append(weight)
            for weights in alike.values():
                self._update(weights, group)

    def _update(self, weights: list[torch.Tensor], group: dict) -> None:
        """A step of weights that are matrices of one shape, worked on together."""
        ahead = torch.stack([self._ahead(weight, group["momentum"]) for weight in weights])
        taller = max(1.0, ahead.shape[1] / ahead.shape[2]) ** 0.5
        for weight, step in zip(weights, orthogonalize(ahead), strict=True):
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(step.view_as(weight), alpha=-group["lr"] * taller)

    def _ahead(self, weight: torch.Tensor, momentum: float) -> torch.Tensor:
        """Nesterov's average of the gradients, as a matrix."""
        assert weight.grad is not None  # noqa: S101
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        average = state["momentum"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(average, momentum).reshape(len(weight), -1)
