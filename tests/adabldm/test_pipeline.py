from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from adabldm.pipeline import AdaBLDMPipeline, SamplingFault
from adabldm.sampling.options import ExactOptions, FastOptions
from tests.support.tiny import FEW_STEPS, SIDE, requests, same, tiny_pipeline

FAST = FastOptions(steps=6, image_edits=2, resolution="model")


@pytest.fixture(scope="module")
def pipeline() -> AdaBLDMPipeline:
    return tiny_pipeline()


def test_a_call_returns_whole_pairs_at_the_models_size(pipeline):
    made = pipeline(**requests(2), options=FEW_STEPS)
    for image, mask, source, marks, before, trace in zip(
        made.images, made.masks, made.sources, made.trimaps, made.blended, made.traces, strict=True
    ):
        assert image.shape == source.shape == before.shape == (SIDE, SIDE, 3)
        assert image.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255}
        assert np.array_equal(mask == 255, marks == 255)
        assert len(trace.losses) == FEW_STEPS.adaptation_steps
        assert set(trace.seconds) == {"encode", "sample", "adapt"}


def test_a_request_gives_the_same_bits_in_any_batch_and_order(pipeline):
    together = pipeline(**requests(3), options=FEW_STEPS)
    arguments = {name: values[::-1] for name, values in requests(3).items()}
    reversed_order = pipeline(**arguments, options=FEW_STEPS)
    alone = [
        pipeline(**{k: v[i : i + 1] for k, v in requests(3).items()}, options=FEW_STEPS).images[0]
        for i in range(3)
    ]
    assert same(together.images, alone)
    assert same(together.images, reversed_order.images[::-1])


def test_requests_computed_together_agree_with_requests_computed_alone(pipeline):
    alone = pipeline(**requests(3), options=FEW_STEPS)
    together = pipeline(**requests(3), options=FEW_STEPS, compute_batch=2)
    for a, b in zip(alone.images, together.images, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1


def test_a_fixed_compute_batch_gives_the_same_bits_for_a_padded_batch(pipeline):
    full = pipeline(**requests(2), options=FEW_STEPS, compute_batch=2)
    padded = pipeline(
        **{k: v[:1] for k, v in requests(2).items()}, options=FEW_STEPS, compute_batch=2
    )
    assert np.array_equal(full.images[0], padded.images[0])


def test_fast_gives_whole_pairs_and_tells_both_terms_of_its_loss(pipeline):
    made = pipeline(**requests(2), options=FAST)
    for image, before, trace in zip(made.images, made.blended, made.traces, strict=True):
        assert image.shape == before.shape == (SIDE, SIDE, 3)
        first, last = trace.losses
        assert last < first
        quality = trace.quality
        terms = quality["foreground_loss"] + FAST.background_weight * quality["background_loss"]
        assert last == pytest.approx(terms, rel=1e-5)


def test_fast_gives_a_request_the_same_bits_in_any_batch_and_order(pipeline):
    together = pipeline(**requests(3), options=FAST).images
    arguments = {name: values[::-1] for name, values in requests(3).items()}
    assert same(together, pipeline(**arguments, options=FAST).images[::-1])
    padded = pipeline(**requests(3), options=FAST, compute_batch=2).images
    for a, b in zip(together, padded, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1


def test_fast_without_its_correction_is_the_decoders_image(pipeline):
    plain = pipeline(**requests(1), options=dataclasses.replace(FAST, smoothness=None))
    assert np.array_equal(plain.images[0], plain.blended[0])
    assert plain.traces[0].losses == ()


def test_fast_trains_the_decoder_as_well_if_asked(pipeline):
    options = dataclasses.replace(FAST, adaptation_steps=2, adaptation_rate=1e-3)
    assert len(pipeline(**requests(1), options=options).traces[0].losses) == 2 + 2


@pytest.mark.parametrize("options", [FEW_STEPS, FAST])
def test_a_good_image_is_encoded_once_for_all_calls_and_to_the_same_bits(options):
    arguments = requests(3)
    arguments["images"] = arguments["images"][:1] * 3
    parts = [{k: v[i : i + 1] for k, v in arguments.items()} for i in range(3)]
    fresh = [tiny_pipeline()(**part, options=options).images[0] for part in parts]
    pipeline, seen = tiny_pipeline(), []
    forward = pipeline.vae.encoder.forward
    pipeline.vae.encoder.forward = lambda x: seen.append(len(x)) or forward(x)
    assert same([pipeline(**part, options=options).images[0] for part in parts], fresh)
    first = len(seen)
    assert same(pipeline(**arguments, options=options).images, fresh)
    again = len(seen) - first
    assert first - again == 1


def test_seed_prompt_and_trimap_each_change_the_image(pipeline):
    base = requests(1)
    first = pipeline(**base, options=FEW_STEPS).images[0]
    for changed in (
        {"seeds": [77]},
        {"prompts": ["a hole"]},
        {"trimaps": [np.rot90(base["trimaps"][0]).copy()]},
    ):
        other = pipeline(**(base | changed), options=FEW_STEPS).images[0]
        assert not np.array_equal(first, other), changed


def test_the_shared_decoder_is_never_changed(pipeline):
    before = copy.deepcopy(pipeline.vae.state_dict())
    pipeline(**requests(1), options=FEW_STEPS)
    after = pipeline.vae.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_adaptation_brings_the_background_back_to_the_good_image(pipeline):
    none = pipeline(
        **requests(1), options=ExactOptions(steps=5, adaptation_steps=0, resolution="model")
    )
    some = pipeline(
        **requests(1),
        options=ExactOptions(
            steps=5, adaptation_steps=30, adaptation_rate=3e-3, resolution="model"
        ),
    )
    assert some.traces[0].losses[-1] < 0.7 * some.traces[0].losses[0]
    assert (
        some.traces[0].quality["background_psnr_db"] > none.traces[0].quality["background_psnr_db"]
    )
    assert np.array_equal(none.images[0], none.blended[0])


def test_the_control_branch_runs_once_a_step_and_never_sees_the_prompt(pipeline, monkeypatch):
    contexts = []
    forward = pipeline.controlnet.forward

    def counted(*args, **kwargs):
        contexts.append(kwargs["encoder_hidden_states"])
        return forward(*args, **kwargs)

    monkeypatch.setattr(pipeline.controlnet, "forward", counted)
    pipeline(**requests(1), options=FEW_STEPS)
    assert len(contexts) == FEW_STEPS.steps
    empty = pipeline.encode_prompts([""])
    assert all(torch.equal(context, empty) for context in contexts)


def test_a_saved_pipeline_loads_and_gives_the_same_bits(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path / "model", safe_serialization=True)
    loaded = AdaBLDMPipeline.from_pretrained(tmp_path / "model")
    assert loaded.image_size == SIDE
    ours, theirs = (one(**requests(1), options=FEW_STEPS) for one in (pipeline, loaded))
    assert same(ours.images, theirs.images)


def test_a_model_that_gives_no_numbers_is_a_fault_not_a_picture():
    broken = tiny_pipeline()
    with torch.no_grad():
        broken.vae.decoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(SamplingFault, match="not finite"):
        broken(**requests(1), options=FEW_STEPS)


def test_sequences_of_different_lengths_are_refused(pipeline):
    arguments = requests(2)
    arguments["seeds"] = arguments["seeds"][:1]
    with pytest.raises(ValueError, match="lengths"):
        pipeline(**arguments)


def test_an_empty_call_gives_nothing(pipeline):
    assert pipeline(images=[], trimaps=[], prompts=[], seeds=[]).images == []
