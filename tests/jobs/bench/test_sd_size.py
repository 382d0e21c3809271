"""One training step from a fresh start, as the measurement at full size makes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adabldm.cost import arithmetic
from adabldm.cost.arithmetic import stable_diffusion
from adabldm.loading import open_base
from adabldm.networks import sd15
from adabldm.sampling.options import ExactOptions, FastOptions
from adabldm.training.options import TrainOptions
from jobs.bench.sd_size import (
    calls_of_an_image,
    chosen,
    drawn_examples,
    parameters,
    training_step,
)
from tests.support.starts import sd_folder
from tests.support.tiny import SIDE

ZERO = ("controlnet_down_blocks", "controlnet_mid_block", "controlnet_cond_embedding.conv_out")


def test_the_first_step_moves_the_zero_convolutions_and_nothing_of_the_base(tmp_path: Path) -> None:
    pipeline = open_base(sd_folder(tmp_path), image_size=SIDE)
    frozen = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    before = [one.clone() for part in frozen for one in part.state_dict().values()]
    control = pipeline.controlnet.requires_grad_(True).train()
    started = {name: one.detach().clone() for name, one in control.named_parameters()}
    examples, step = drawn_examples(SIDE, 2), TrainOptions(steps=1, batch_size=2, weight_decay=0)
    loss = training_step(pipeline, examples, step)
    assert loss == pytest.approx(1, abs=0.5)
    after = [one for part in frozen for one in part.state_dict().values()]
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert all(one.grad is None for part in frozen for one in part.parameters())
    moved = {n for n, one in control.named_parameters() if not torch.equal(one, started[n])}
    behind = {name for name in started if name.startswith(ZERO[:2])}
    assert moved == behind, "behind zero convolutions no gradient gets through yet"
    training_step(pipeline, examples, step)
    moved = {n for n, one in control.named_parameters() if not torch.equal(one, started[n])}
    assert any(name.startswith(ZERO[2]) for name in moved)
    assert any(name.startswith("down_blocks") for name in moved)


def test_fewer_steps_are_legal_in_both_modes_and_the_work_is_known_before() -> None:
    assert chosen("exact", None) == ExactOptions()
    assert chosen("exact", 3).steps == 3
    fast = chosen("fast", 3)
    assert isinstance(fast, FastOptions)
    calls = calls_of_an_image(fast)
    assert calls[arithmetic.CONTROL] == 3
    assert calls[arithmetic.UNET] == 2 * (3 - fast.image_edits) + fast.image_edits
    assert calls[arithmetic.DECODER] == fast.image_edits + 1
    assert calls[arithmetic.TRAINING] == 0
    with pytest.raises(ValueError, match="mode"):
        chosen("quick", None)


def test_the_full_size_has_the_published_numbers_of_parameters() -> None:
    networks = stable_diffusion()
    with torch.device("meta"):
        text = sd15.build_text_encoder()
    assert parameters(networks.unet) == 859_520_964
    assert parameters(networks.vae) == 83_653_863
    assert parameters(networks.controlnet) == 361_279_120
    assert parameters(text) == 123_060_480
