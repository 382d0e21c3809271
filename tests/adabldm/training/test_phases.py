"""What a phase draws for an example depends on nothing else that is drawn for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adabldm.data.opening import open_dataset
from adabldm.networks import small
from adabldm.training.examples import Example, ExampleStream, Mix
from adabldm.training.latents import LatentPool
from adabldm.training.objectives import DenoiserLoss
from adabldm.training.options import BranchOptions
from adabldm.training.phases import AutoencoderPhase, DenoiserPhase
from jobs.verbs.demo import draw_data_set
from tests.support.tiny import SIDE, tiny_pipeline

CROP = small.IMAGE_SIZE // 2
SLOPE = 0.2


class Ramps:
    """Pictures whose red tells the column, beside a constant green and blue."""

    size = small.IMAGE_SIZE

    def __getitem__(self, index: int) -> Example:
        image = np.empty((self.size, self.size, 3), np.float32)
        image[..., 0] = 100 + SLOPE * np.arange(self.size)
        image[..., 1:] = 100, 150
        marks = np.full((self.size, self.size), 127, np.uint8)
        return Example(image=image, trimap=marks, prompt=str(index), object="ramp", defect=None)


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    return open_dataset(str(draw_data_set(tmp_path_factory.mktemp("data"))))


def left_columns(images: torch.Tensor) -> np.ndarray:
    """Where the windows (N, 3, H, W) begin, whatever their contrast."""
    red, green, blue = images[:, :, 0, 0].numpy().T
    return np.rint((red - green) / (blue - green) * 50 / SLOPE).astype(int)


def test_where_a_window_lies_does_not_tell_what_kind_of_example_it_shows(objects):
    half = Mix(pasted=0.5, good=0.5)
    count, columns = 800, small.IMAGE_SIZE - CROP + 1
    stream = ExampleStream(objects, prompts=lambda *_: [""], size=16, mix=half, seed=0)
    good = np.array([stream[index].defect is None for index in range(count)])
    phase = AutoencoderPhase(
        small.build_autoencoder(),
        Ramps(),  # type: ignore[arg-type]
        name="autoencoder",
        crop=CROP,
        seed=0,
    )
    left = np.concatenate(
        [left_columns(phase.batch(range(i, i + 50))[0]) for i in range(0, count, 50)]
    )
    assert left.min() >= 0
    assert left.max() < columns
    for kind in (good, ~good):
        assert len(np.unique(left[kind])) > 0.95 * columns
        assert left[kind].mean() == pytest.approx((columns - 1) / 2, abs=4)


def denoiser_phase(name: str, objects) -> DenoiserPhase:
    pipeline = tiny_pipeline()
    stream = ExampleStream(objects, prompts=lambda *_: ["a"], size=SIDE)
    return DenoiserPhase(
        DenoiserLoss(pipeline.unet, None, torch.ones(1000), factor=8),
        LatentPool(stream, pipeline.vae, count=8, seed=0),
        lambda text: torch.zeros(1, 4, 2) + len(text),
        name=name,
        seed=BranchOptions().seed,
    )


def test_a_later_phase_sees_the_same_examples_under_other_noise(objects):
    first, later = (denoiser_phase(name, objects).batch(range(8)) for name in ("unet", "control"))
    assert torch.equal(first[3], later[3])
    for noise, other in ((first[1], later[1]), (first[0], later[0])):
        assert not torch.isclose(noise, other).all(dim=(1, 2, 3)).any()
    assert not torch.equal(first[2], later[2])
    again = denoiser_phase("unet", objects).batch(range(8))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
