from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from adabldm import pasting, small_model, surfaces
from adabldm.training import Schedule, Trainer, add_noise


def trainer(folder: Path, steps: int) -> Trainer:
    torch.manual_seed(0)
    schedule = Schedule(steps=steps, learning_rate=0.05, warmup=2, save_every_s=1e9)
    return Trainer(folder, {"line": nn.Linear(3, 1)}, schedule)


def fit(one: Trainer) -> torch.Tensor:
    def loss(step: int) -> torch.Tensor:
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        return (one.modules["line"](x) - x.sum(1, keepdim=True)).square().mean()

    one.run(loss, lambda modules: {"bias": float(modules["line"].bias)})
    return one.modules["line"].weight.detach()


def test_training_that_was_cut_off_continues_to_the_same_weights(tmp_path):
    whole = fit(trainer(tmp_path / "whole", 60))
    first = trainer(tmp_path / "cut", 60)
    for step in range(25):
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        first._update((first.modules["line"](x) - x.sum(1, keepdim=True)).square().mean())
    first.save()
    again = trainer(tmp_path / "cut", 60)
    assert again.step == 25
    assert torch.equal(fit(again), whole)


def test_training_learns_and_logs(tmp_path):
    weight = fit(trainer(tmp_path, 300))
    assert torch.allclose(weight, torch.ones(1, 3), atol=0.1)
    assert '"step": 300' in (tmp_path / "log.jsonl").read_text()


def test_noise_at_the_last_timestep_hides_the_latent():
    alphas = torch.tensor([1.0, 0.0])
    z0, noise = torch.randn(2, 4, 2, 2), torch.randn(2, 4, 2, 2)
    noised = add_noise(z0, noise, alphas, torch.tensor([0, 1]))
    assert torch.equal(noised[0], z0[0])
    assert torch.equal(noised[1], noise[1])


def test_any_text_can_be_encoded_without_unknown_tokens():
    tokenizer = small_model.build_tokenizer(["a magnetic tile with a crack"] * 10, merges=30)
    for text in ("a magnetic tile", "Zebra quartz! 42", "Schraube für Müller"):
        ids = tokenizer(text).input_ids
        assert tokenizer.unk_token_id not in ids[1:-1], text


def test_a_pasted_defect_changes_the_image_only_under_its_mask():
    part = surfaces.draw_part(3, 96, "blowhole")
    good = surfaces.draw_part(4, 96).image
    everywhere = np.ones((96, 96), np.uint8)
    image, mask = pasting.paste(np.random.default_rng(0), good, part.image, part.mask, everywhere)
    changed = (image != good).any(axis=2)
    assert changed.any()
    assert not changed[mask == 0].any()
    assert 0.5 < (mask > 0).sum() / (part.mask > 0).sum() < 2
