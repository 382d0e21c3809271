from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

from adabldm.sampling.decoder_adaptation import adapt_decoder
from adabldm.sampling.options import ExactOptions
from jobs.bench import adaptation_frontier, adaptation_together, savings
from jobs.bench.adaptation_frontier import TRAININGS, exact_case, variants
from jobs.bench.adaptation_training import (
    DecoderTraining,
    adapted_decoder,
    around,
    fix_norms,
    split_decoder,
    trained,
)
from tests.support.tiny import requests, tiny_pipeline

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def shorter(way: DecoderTraining) -> DecoderTraining:
        return replace(way, when=(1, 2))

    monkeypatch.setattr(adaptation_frontier, "TRAININGS", tuple(map(shorter, TRAININGS)))
    for name in ("WHOLE", "WARM"):
        monkeypatch.setattr(adaptation_frontier, name, shorter(getattr(adaptation_frontier, name)))
    monkeypatch.setattr(adaptation_frontier, "EXACT", "whole decoder 2")
    monkeypatch.setattr(adaptation_together, "STEPS", 3)


def test_the_whole_decoders_variant_is_what_exact_does() -> None:
    pipeline = tiny_pipeline()
    _pass_through_to_the_decoder(pipeline.vae)
    case = exact_case(pipeline, requests(1))
    made = {one.name: one for one in variants(pipeline.vae, case)}
    unadapted = pipeline(
        **requests(1), options=ExactOptions(adaptation_steps=0, resolution="model")
    )
    assert np.abs(unadapted.blended[0] - _pixels(case.before)).max() == 0
    exact = adapt_decoder(
        pipeline.vae, case.latents, case.before, case.good, case.keep,
        steps=2, rate=1e-4, background_weight=100.0,
    )  # fmt: skip
    assert torch.allclose(made["whole decoder 2"].image, exact.image, atol=1e-4)
    assert (exact.image - case.before).abs().max() > 0.1
    assert made["whole decoder 2"].gflop > made["last up-block 1"].gflop


def _pixels(image: torch.Tensor) -> np.ndarray:
    return ((image * 127.5 + 127.5).clamp(0, 255).to(torch.uint8))[0].permute(1, 2, 0).numpy()


def _pass_through_to_the_decoder(vae: AutoencoderKL) -> None:
    """Scaled latents reach the decoder as they are, to the bit: AdamW's first steps follow a
    gradient's sign, however small it is."""
    vae.register_to_config(scaling_factor=1.0)
    weight, bias = vae.post_quant_conv.weight, vae.post_quant_conv.bias
    weight.copy_(torch.eye(len(weight))[:, :, None, None])
    bias.zero_()


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "frontier.png"
    points = adaptation_frontier.measure(tiny_pipeline(), [requests(1)], path)
    assert {"no adaptation", "plain paste", "output convolution"} <= {p.name for p in points}
    assert {p.label for p in points} == {"", "fast", "exact"}
    with Image.open(path) as image:
        assert image.width > 1000


def test_a_warm_start_begins_where_another_requests_decoder_ended() -> None:
    pipeline = tiny_pipeline()
    first, second = (
        exact_case(pipeline, {k: v[i : i + 1] for k, v in requests(2).items()}) for i in range(2)
    )
    adapted = adapted_decoder(pipeline.vae, [first], 2)
    with torch.no_grad():
        begun = adapted(second.latents)
    made = {one.name: one.image for one in variants(pipeline.vae, second, [first])}
    assert not torch.equal(begun, second.before)
    near = (made["warm start 1"] - begun).abs().mean()
    assert near < (made["warm start 1"] - second.before).abs().mean()
    assert "warm start 1" not in {one.name for one in variants(pipeline.vae, second)}


def test_a_crop_is_normalised_as_in_its_picture() -> None:
    pipeline = tiny_pipeline()
    case = exact_case(pipeline, requests(1))
    before, part = split_decoder(copy.deepcopy(pipeline.vae.decoder), last=True)
    with torch.no_grad():
        features = before(case.latents)
        crop = around(case.keep)
        assert crop.inner != crop.outer
        assert features[crop.outer].numel() < features.numel()
        unfixed = crop.put(part(features[crop.outer]), case)[crop.inner]
        fix_norms(part, features)
        fixed = crop.put(part(features[crop.outer]), case)[crop.inner]
    assert torch.allclose(fixed, case.before[crop.inner], atol=1e-5)
    assert not torch.allclose(unfixed, case.before[crop.inner], atol=1e-2)


def test_outside_a_crop_the_picture_is_the_good_one() -> None:
    pipeline = tiny_pipeline()
    case = exact_case(pipeline, requests(1))
    way = DecoderTraining(family="crop", when=(3,), rate=1e-3, last=True, crop=True)
    (made,) = trained(pipeline.vae, case, way)
    outside = torch.ones_like(case.keep)
    outside[around(case.keep).inner] = 0
    assert torch.equal(made.image * outside, case.good * outside)
    assert not torch.allclose(made.image, case.before, atol=1e-2)
    assert sum(made.course[2]) < sum(made.course[0])
    whole = replace(way, crop=False)
    assert made.gflop < next(trained(pipeline.vae, case, whole)).gflop


def test_many_at_once_are_adapted_as_each_alone() -> None:
    pipeline = tiny_pipeline()
    cases = [
        exact_case(pipeline, {k: v[i : i + 1] for k, v in requests(3).items()}) for i in range(3)
    ]
    assert adaptation_together.measure_together(pipeline.vae, cases) < 1e-4


def test_what_is_saved_changes_no_pixel_by_more_than_one_grey_level() -> None:
    pipeline = tiny_pipeline()
    kept = pipeline.encodings
    found = savings.measure(pipeline, [requests(1)])
    assert all(change <= 1 for _, change in found.values())
    assert found["without control branch once"][1] == found["without encodings kept"][1] == 0
    assert pipeline.encodings is kept
