from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adabldm.adaptation import adapt_decoder
from adabldm.options import SamplerOptions
from jobs import adaptation_frontier
from jobs.adaptation_frontier import exact_case, variants
from tests.tiny import requests, tiny_pipeline


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation_frontier, "WHOLE_STEPS", (1, 2))
    monkeypatch.setattr(adaptation_frontier, "LAST_BLOCK_STEPS", (1,))


def test_the_whole_decoders_variant_is_what_exact_does() -> None:
    pipeline = tiny_pipeline()
    case = exact_case(pipeline, requests(1))
    made = {one.name: one for one in variants(pipeline.vae, case)}
    unadapted = pipeline(**requests(1), options=SamplerOptions(adaptation_steps=0))
    assert np.abs(unadapted.blended[0] - _pixels(case.before)).max() == 0
    exact = adapt_decoder(
        pipeline.vae, _scaled(pipeline, case.latents), case.before, case.good, case.keep,
        steps=2, rate=1e-4, background_weight=100.0,
    )  # fmt: skip
    assert torch.allclose(made["whole decoder 2"].image, exact.image, atol=1e-5)
    assert made["whole decoder 2"].gflop > made["last up-block 1"].gflop


def _pixels(image: torch.Tensor) -> np.ndarray:
    return ((image * 127.5 + 127.5).clamp(0, 255).to(torch.uint8))[0].permute(1, 2, 0).numpy()


def _scaled(pipeline: object, latents: torch.Tensor) -> torch.Tensor:
    """Latents that become ``latents`` on the way into the decoder."""
    conv = pipeline.vae.post_quant_conv
    matrix = conv.weight[:, :, 0, 0]
    flat = (latents - conv.bias[:, None, None]).flatten(2)[0]
    solved = torch.linalg.solve(matrix, flat).view_as(latents)
    return solved.detach() * pipeline.vae.config.scaling_factor


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "frontier.png"
    points = adaptation_frontier.measure(tiny_pipeline(), [requests(1)], path)
    assert {"no adaptation", "plain paste", "output convolution"} <= {p.name for p in points}
    with Image.open(path) as image:
        assert image.width > 1000
