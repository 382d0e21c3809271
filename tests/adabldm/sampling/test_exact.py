from __future__ import annotations

import torch

from adabldm.networks.autoencoder import encode
from adabldm.sampling.blending import GoodImages, edit_images, edit_latents
from adabldm.sampling.ddim import cumulative_alphas
from adabldm.sampling.exact import sample
from adabldm.sampling.noise import CounterNoise
from adabldm.sampling.options import ExactOptions
from adabldm.sampling.predictor import NoisePredictor, TextEmbeddings
from tests.support.tiny import SIDE, tiny_pipeline


def run_sampler(latent_start: int, image_start: int, steps: int = 10) -> list[tuple[str, int]]:
    pipeline = tiny_pipeline()
    noise = CounterNoise([1])
    images = torch.zeros(1, 3, SIDE, SIDE)
    empty = pipeline.encode_prompts([""]).detach()
    predictor = NoisePredictor(
        unet=pipeline.unet,
        controlnet=pipeline.controlnet,
        control_image=torch.zeros(1, 3, SIDE, SIDE),
        texts=TextEmbeddings(prompt=empty, negative=empty, empty=empty),
        guidance=9.0,
    )
    alphas = cumulative_alphas(pipeline.scheduler)
    seen: list[tuple[str, int]] = []
    with torch.no_grad():
        latents = encode(pipeline.vae, images, torch.zeros(1, 4, 8, 8))
        sample(
            pipeline.vae,
            predictor,
            GoodImages(
                images=images,
                latents=latents,
                pixel_keep=torch.ones(1, 1, SIDE, SIDE),
                latent_keep=torch.ones(1, 1, 8, 8),
            ),
            alphas,
            noise,
            ExactOptions(
                steps=steps,
                latent_editing_start=latent_start,
                image_editing_start=image_start,
            ),
            watch=lambda quantity, step, _: seen.append((quantity, step)),
        )
    return seen


def test_the_stages_run_at_the_papers_steps():
    seen = run_sampler(latent_start=4, image_start=8)
    assert [s for q, s in seen if q == "latent_blend_noised"] == [4, 5, 6, 7, 8]
    assert [s for q, s in seen if q == "pixel_blend_z"] == [8, 9]
    assert [s for q, s in seen if q == "x_out"] == list(range(10))


def test_latent_editing_comes_before_the_step_and_image_editing_after():
    order = [q for q, s in run_sampler(latent_start=4, image_start=8) if s == 8]
    assert order.index("latent_blend_noised") < order.index("x_in") < order.index("pixel_blend_z")


def test_editing_keeps_the_good_part_bit_for_bit():
    z, good, keep = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), torch.zeros(1, 1, 8, 8)
    keep[..., :4] = 1
    edited = edit_latents(z, good, keep)
    assert torch.equal(edited[..., :4], good[..., :4])
    assert torch.equal(edited[..., 4:], z[..., 4:])
    assert torch.equal(edit_images(z, good, keep), edited)
