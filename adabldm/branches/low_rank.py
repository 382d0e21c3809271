"""A change of weights as two thin factors (low-rank adaptation, arXiv 2106.09685, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from adabldm.branches.card import BranchFault

STORED = torch.float16
UP, DOWN, CHANGE = ".up", ".down", ".diff"


def factors(name: str, change: torch.Tensor, rank: int) -> dict[str, torch.Tensor]:
    """``change`` (float32, any shape) by its parts' names, in half precision.

    A matrix (out, rest) of it is ``up`` (out, r) times ``down`` (r, rest), the nearest of rank r,
    r <= ``rank`` (Eckart and Young); a vector, or what factors would not make smaller, is itself.
    """
    if change.ndim < 2:
        return {name + CHANGE: change.to(STORED)}
    matrix = change.flatten(1)
    out, rest = matrix.shape
    rank = min(rank, out, rest)
    if rank * (out + rest) >= out * rest:
        return {name + CHANGE: change.to(STORED)}
    left, strengths, right = torch.linalg.svd(matrix, full_matrices=False)
    roots = strengths[:rank].sqrt()  # shared, so that neither factor leaves half precision's range
    return {
        name + UP: (left[:, :rank] * roots).to(STORED),
        name + DOWN: (roots[:, None] * right[:rank]).to(STORED),
    }


def changed_names(parts: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the weights that ``parts`` change. Raises :class:`BranchFault`."""
    names = set()
    for part in parts:
        name, _, kind = part.rpartition(".")
        if f".{kind}" not in (UP, DOWN, CHANGE):
            raise BranchFault("weights", part, f"must end in {UP}, {DOWN} or {CHANGE}")
        names.add(name)
    for name in sorted(names):
        whole, halves = name + CHANGE in parts, [name + end in parts for end in (UP, DOWN)]
        if whole == any(halves) or any(halves) != all(halves):
            raise BranchFault("weights", name, f"must have {CHANGE}, or both {UP} and {DOWN}")
    return sorted(names)


def changed(name: str, parts: Mapping[str, torch.Tensor], base: torch.Tensor) -> torch.Tensor:
    """``base`` plus its change, float32, computed where ``base`` is.

    Raises :class:`BranchFault` for a change of another shape.
    """

    def part(end: str) -> torch.Tensor:
        return parts[name + end].to(base.device, torch.float32)

    if name + CHANGE in parts:
        change = part(CHANGE)
    else:
        up, down = part(UP), part(DOWN)
        out = base.shape[0] if base.ndim else 0
        fitting = up.ndim == down.ndim == 2 and up.shape[1] == down.shape[0]
        if not fitting or (up.shape[0], down.shape[1] * out) != (out, base.numel()):
            rule = f"its factors must make up {tuple(base.shape)}, the base's shape"
            raise BranchFault(name, (tuple(up.shape), tuple(down.shape)), rule)
        change = (up @ down).view(base.shape)
    if change.shape != base.shape:
        rule = f"must be of the base's shape, {tuple(base.shape)}"
        raise BranchFault(name, tuple(change.shape), rule)
    return base.to(torch.float32) + change
