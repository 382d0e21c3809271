"""Examples that are made ahead and lie on a device teach what those made one by one do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from adabldm.core import trimap
from adabldm.data.opening import open_dataset
from adabldm.networks import small
from adabldm.sampling.encoding_cache import embed
from adabldm.training import pace
from adabldm.training.example_pool import ExamplePool
from adabldm.training.examples import WHOLE_MODEL_MIX, ExampleStream
from adabldm.training.latents import LatentPool
from adabldm.training.objectives import DenoiserLoss
from adabldm.training.options import TIME_SHARES, WholeModelOptions
from adabldm.training.resident import (
    Latents,
    Pictures,
    ResidentAutoencoderPhase,
    ResidentDenoiserPhase,
)
from jobs.verbs.demo import draw_data_set
from tests.support.tiny import SIDE, tiny_pipeline

CPU = torch.device("cpu")
COUNT = 40


def prompts(item: str, defect: str | None) -> list[str]:
    return [f"{item} with {defect}"]


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> ExampleStream:
    objects = open_dataset(str(draw_data_set(tmp_path_factory.mktemp("data"))))
    return ExampleStream(objects, prompts=prompts, size=SIDE, mix=WHOLE_MODEL_MIX, seed=3)


@pytest.fixture(scope="module")
def pool(stream):
    with ExamplePool(stream, count=COUNT, processes=2) as made:
        for index in range(COUNT):
            assert made[index]
        yield made


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline()


@pytest.fixture(scope="module")
def latents(pool, pipeline):
    found, scale = Latents.of(
        pipeline.vae,
        pool,
        lambda text: embed(pipeline.text_encoder, pipeline.tokenizer, text),
        measured=COUNT,
    )
    return found, scale


def test_processes_make_the_examples_that_one_makes(stream, pool):
    assert len(pool) == COUNT
    for index in (0, 1, COUNT - 1):
        wanted, made = stream[index], pool[index]
        assert np.array_equal(made.image, wanted.image)
        assert np.array_equal(made.trimap, wanted.trimap)
        assert (made.prompt, made.object, made.defect) == (
            wanted.prompt,
            wanted.object,
            wanted.defect,
        )


@pytest.mark.parametrize("index", [-1, COUNT])
def test_a_pool_has_no_example_beyond_its_own(pool, index):
    with pytest.raises(IndexError, match=f"example {index}: must be in 0..{COUNT - 1}"):
        pool[index]


def test_latents_are_those_of_the_pool_that_encodes_one_by_one(stream, pool, pipeline, latents):
    found, scale = latents
    single = LatentPool(stream, pipeline.vae, count=COUNT, seed=0)
    assert scale == pytest.approx(single.measure_scale(), rel=1e-5)
    for index in (0, 7):
        wanted = torch.from_numpy(single[index].mean) * scale
        assert torch.allclose(found.mean[index], wanted, atol=1e-4)
        text = embed(pipeline.text_encoder, pipeline.tokenizer, pool[index].prompt)
        assert torch.allclose(found.texts[found.prompts[index]], text[0])
    empty = embed(pipeline.text_encoder, pipeline.tokenizer, "")
    assert torch.allclose(found.texts[0], empty[0])


def phase_of(pipeline, latents, **changes) -> ResidentDenoiserPhase:
    module = DenoiserLoss(
        pipeline.unet, pipeline.controlnet, torch.linspace(0.999, 0.01, 1000), factor=8
    )
    return ResidentDenoiserPhase(
        module, latents[0], **{"name": "control", "seed": 0, "control_drop": 0.5, **changes}
    )


def test_a_batch_is_a_function_of_the_seed_the_phase_and_its_first_index(pipeline, latents):
    phase = phase_of(pipeline, latents)
    first, again = phase.batch(range(64, 128)), phase.batch(range(64, 128))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for other in (
        phase.batch(range(128, 192)),
        phase_of(pipeline, latents, seed=1).batch(range(64, 128)),
        phase_of(pipeline, latents, name="unet").batch(range(64, 128)),
    ):
        assert not torch.equal(first[0], other[0])
        assert not torch.equal(first[1], other[1])


def test_a_batch_drops_the_asked_share_of_prompts_and_controls(pipeline, latents):
    phase = phase_of(pipeline, latents, prompt_drop=0.25)
    _, noise, t, _, prompts, empty, control = phase.batch(range(4000))
    dropped = (prompts == empty).all(2).all(1).float().mean()
    assert dropped == pytest.approx(0.25, abs=0.03)
    assert control.mean() == pytest.approx(0.5, abs=0.03)
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert (int(t.min()), int(t.max())) == (0, 999)


def test_the_autoencoder_sees_windows_of_the_pools_pictures(pool):
    pictures = Pictures.of(pool, 8, CPU)
    crop = SIDE // 2
    phase = ResidentAutoencoderPhase(
        small.build_autoencoder(), pictures, name="autoencoder", crop=crop, seed=0
    )
    images, keep, noise = phase.batch(range(16))
    assert images.shape == (16, 3, crop, crop)
    assert keep.shape == (16, 1, crop, crop)
    assert noise.shape == (16, small.LATENT_CHANNELS, crop // 4, crop // 4)
    assert -1 <= images.min() < images.max() <= 1
    kept = (pictures.trimaps != trimap.DEFECT).float()
    windows = kept.unfold(1, crop, 1).unfold(2, crop, 1).flatten(0, 2)
    for one in keep[:, 0]:
        turned = [one.flip(axes) for axes in ((), (0,), (1,), (0, 1))]
        assert any((windows == way).flatten(1).all(1).any() for way in turned)


def test_as_many_steps_are_found_as_fit_and_the_weights_stay(pipeline, latents, monkeypatch):
    monkeypatch.setattr(pace, "WARM_UP", 1)
    monkeypatch.setattr(pace, "TIMED", 3)
    phase = phase_of(pipeline, latents)
    pipeline.unet.requires_grad_(True)
    before = {name: value.clone() for name, value in phase.module.state_dict().items()}
    options = replace(WholeModelOptions().control, batch_size=2)
    few, more = (pace.steps_within(seconds, phase, options, CPU) for seconds in (0.001, 60))
    assert few == 1 < more
    after = phase.module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_gpu_trains_longer_on_larger_batches_and_the_time_is_all_shared_out():
    plain, longer = WholeModelOptions(), WholeModelOptions.on_gpu(minutes=7)
    assert longer.resident
    assert not plain.resident
    for name, one in longer.phases.items():
        assert one.batch_size > plain.phases[name].batch_size
        assert one.steps * one.batch_size > 5 * plain.phases[name].steps
    assert sum(TIME_SHARES.values()) == pytest.approx(1)
    assert set(TIME_SHARES) == set(plain.phases)


@pytest.mark.parametrize(("field", "value"), [("pool", 0), ("minutes", 0.0)])
def test_options_that_cannot_be_are_named(field, value):
    with pytest.raises(ValueError, match=f"{field}: {value}: must be"):
        replace(WholeModelOptions(), **{field: value})
