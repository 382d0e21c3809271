from __future__ import annotations

import pytest
import torch

from adabldm.networks.autoencoder import decode
from adabldm.sampling.decoder_adaptation import adapt_decoder, adaptation_loss
from tests.support.tiny import SIDE, tiny_pipeline


def test_the_loss_is_the_papers_sum_over_all_pixels():
    decoded, defective, good = (torch.randn(1, 3, 4, 4) for _ in range(3))
    keep = torch.zeros(1, 1, 4, 4)
    keep[..., :2] = 1
    defect_error = ((decoded - defective)[..., 2:] ** 2).sum() / decoded.numel()
    background_error = ((decoded - good)[..., :2] ** 2).sum() / decoded.numel()
    loss = adaptation_loss(decoded, defective, good, keep, 100.0)
    assert loss.item() == pytest.approx((defect_error + 100 * background_error).item(), rel=1e-5)


def test_each_request_has_a_decoder_of_its_own():
    vae = tiny_pipeline().vae
    latents, good = torch.randn(2, 4, 8, 8), torch.zeros(2, 3, SIDE, SIDE)
    keep = torch.ones(2, 1, SIDE, SIDE)
    with torch.no_grad():
        before = decode(vae, latents)

    def adapted(index: slice) -> torch.Tensor:
        return adapt_decoder(
            vae, latents[index], before[index], good[index], keep[index],
            steps=5, rate=1e-3, background_weight=100.0,
        ).image  # fmt: skip

    assert torch.equal(adapted(slice(0, 1)), adapted(slice(0, 1)))
    shared = adapted(slice(0, 2))
    assert not torch.allclose(shared[:1], adapted(slice(0, 1)), atol=1e-5)


def test_gradients_reach_the_decoder_inside_no_grad():
    vae = tiny_pipeline().vae
    with torch.no_grad():
        result = adapt_decoder(
            vae, torch.randn(1, 4, 8, 8), torch.zeros(1, 3, SIDE, SIDE),
            torch.zeros(1, 3, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE),
            steps=20, rate=1e-3, background_weight=1.0,
        )  # fmt: skip
    assert result.losses[-1] < result.losses[0]
    assert not any(parameter.requires_grad for parameter in vae.parameters())
