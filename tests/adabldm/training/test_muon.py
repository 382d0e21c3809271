from __future__ import annotations

import pytest
import torch

from adabldm.training.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(8, 8), (6, 40), (40, 6)])
def test_every_direction_of_a_gradient_gets_about_the_same_step(shape):
    generator = torch.Generator().manual_seed(0)
    u, s, vh = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    gradient = u @ torch.diag(torch.logspace(0, -2, len(s))) @ vh
    step = orthogonalize(gradient)
    sizes = torch.linalg.svdvals(step)
    assert sizes.min() > 0.5
    assert sizes.max() < 1.3
    assert torch.trace(step.T @ (u @ vh)) > 0.9 * sizes.sum()


def test_faint_directions_are_learned_faster_than_by_plain_steps():
    """Least squares whose directions differ in scale a hundredfold, by few steps."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 16, generator=generator) * torch.logspace(0, -2, 16)
    wanted = torch.randn(8, 16, generator=generator)
    errors = {}
    for name in ("muon", "sgd"):
        weight = torch.zeros(8, 16, requires_grad=True)
        kinds = {"muon": Muon, "sgd": torch.optim.SGD}
        optimizer = kinds[name]([weight], lr=0.2 if name == "muon" else 1.0, weight_decay=0.0)
        for _ in range(100):
            optimizer.param_groups[0]["lr"] *= 0.97
            optimizer.zero_grad()
            (x @ (weight - wanted).T).square().mean().backward()
            optimizer.step()
        errors[name] = float((weight - wanted).detach().norm() / wanted.norm())
    assert errors["muon"] < errors["sgd"]


def test_a_kernel_is_updated_in_its_own_shape_and_layout():
    weight = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last).requires_grad_(True)
    before = weight.detach().clone()
    weight.square().sum().backward()
    Muon([weight], lr=0.1).step()
    assert weight.shape == (4, 3, 3, 3)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert (weight - before).flatten(1).norm(dim=1).min() > 0.01


def test_it_computes_no_loss():
    with pytest.raises(ValueError, match="closure"):
        Muon([torch.zeros(2, 2, requires_grad=True)]).step(lambda: None)
