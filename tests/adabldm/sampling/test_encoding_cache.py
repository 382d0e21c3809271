"""Encodings are kept across calls, within their bytes, and only for the weights that made them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from adabldm.data import drawn_metal
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.encoding_cache import Encodings, embed
from tests.support.tiny import SIDE, tiny_pipeline


@pytest.fixture
def pipeline() -> AdaBLDMPipeline:
    return tiny_pipeline()


def counted(module: torch.nn.Module) -> list[int]:
    """Grows with each call of ``module``."""
    calls: list[int] = []
    module.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def pictures(count: int) -> np.ndarray:
    return np.stack([drawn_metal.draw_part(number, SIDE).image for number in range(count)])


def test_a_text_is_encoded_once_and_is_what_the_encoder_says(pipeline):
    alone = embed(pipeline.text_encoder, pipeline.tokenizer, "a crack")
    calls = counted(pipeline.text_encoder)
    for _ in range(3):
        both = pipeline.encode_prompts(["a crack", ""])
        assert torch.equal(both[:1], alone)
    assert len(calls) == 2


def test_an_image_is_encoded_once_whatever_its_neighbours(pipeline):
    encodings, calls = Encodings(), counted(pipeline.vae.encoder)
    together = encodings.posterior(pipeline.vae, pictures(3))
    alone = encodings.posterior(pipeline.vae, pictures(2)[1:])
    assert torch.equal(together.mean[1:2], alone.mean)
    assert torch.equal(together.std[1:2], alone.std)
    assert len(calls) == 3


def change_in_place(pipeline: AdaBLDMPipeline) -> None:
    with torch.no_grad():
        pipeline.vae.encoder.conv_in.bias.add_(1)
        pipeline.text_encoder.get_input_embeddings().weight.mul_(2)


def load(pipeline: AdaBLDMPipeline) -> None:
    other = tiny_pipeline(seed=1)
    pipeline.vae.load_state_dict(other.vae.state_dict())
    pipeline.text_encoder.load_state_dict(other.text_encoder.state_dict())


def replace(pipeline: AdaBLDMPipeline) -> None:
    other = tiny_pipeline(seed=1)
    pipeline.vae, pipeline.text_encoder = other.vae, other.text_encoder


def convert(pipeline: AdaBLDMPipeline) -> None:
    pipeline.to(torch.bfloat16)


@pytest.mark.parametrize("change", [change_in_place, load, replace, convert])
def test_other_weights_encode_anew(change: Callable[[AdaBLDMPipeline], None], pipeline):
    text = pipeline.encode_prompts(["a crack"])
    image = pipeline.encodings.posterior(pipeline.vae, pictures(1)).mean
    change(pipeline)
    fresh = Encodings()
    for before, kept, new in (
        (
            text,
            pipeline.encode_prompts(["a crack"]),
            fresh.texts(pipeline.text_encoder, pipeline.tokenizer, ["a crack"]),
        ),
        (
            image,
            pipeline.encodings.posterior(pipeline.vae, pictures(1)).mean,
            fresh.posterior(pipeline.vae, pictures(1)).mean,
        ),
    ):
        assert torch.equal(kept, new)
        assert kept.dtype != before.dtype or not torch.equal(kept, before)


def test_a_branchs_weights_leave_the_encodings_in_place(pipeline):
    calls = counted(pipeline.text_encoder)
    pipeline.encode_prompts(["a crack"])
    with torch.no_grad():
        pipeline.controlnet.conv_in.weight.add_(1)
        pipeline.unet.conv_in.weight.add_(1)
    pipeline.encode_prompts(["a crack"])
    assert len(calls) == 1


def test_what_is_kept_stays_within_its_bytes_and_what_was_used_last_stays(pipeline):
    one = pipeline.encode_prompts([""]).nbytes
    encodings, calls = Encodings(limit=2 * one), counted(pipeline.text_encoder)
    for text, made in (("a", 1), ("b", 2), ("a", 2), ("c", 3), ("a", 3), ("b", 4)):
        encodings.texts(pipeline.text_encoder, pipeline.tokenizer, [text])
        assert len(calls) == made, text
        assert encodings.nbytes <= 2 * one


def test_a_batch_larger_than_what_is_kept_is_whole(pipeline):
    texts = [f"crack {number}" for number in range(5)]
    small = Encodings(limit=1).texts(pipeline.text_encoder, pipeline.tokenizer, texts)
    assert torch.equal(small, pipeline.encode_prompts(texts))
