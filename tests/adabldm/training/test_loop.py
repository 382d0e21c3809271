from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from adabldm.training.loop import Peers, Trainer, indices_of
from adabldm.training.options import TrainOptions


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.line = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.line(x)[:, 0] - x.sum(1)).square()


class LinePhase:
    """Learns to sum three numbers; remembers which examples it was asked for."""

    name = "line"

    def __init__(self) -> None:
        self.module, self.asked = Line(), []

    def batch(self, indices):
        self.asked.append(list(indices))
        rows = [np.random.default_rng([9, i]).normal(size=3) for i in indices]
        return (torch.from_numpy(np.stack(rows)).float(),)

    def look(self, module):
        return {"bias": float(module.line.bias)}, None


class Memory:
    """A store that forgets nothing; ``dies_at`` ends the run after that step's checkpoint."""

    def __init__(self, state: Any = None, dies_at: int | None = None) -> None:
        self.state, self.dies_at, self.logged = state, dies_at, []

    def load(self):
        return copy.deepcopy(self.state)

    def save(self, step, state):
        self.state = copy.deepcopy(state)
        if step == self.dies_at:
            raise KeyboardInterrupt

    def log(self, step, facts):
        self.logged.append((step, facts))

    def picture(self, step, pixels):
        raise AssertionError(f"step {step} has no picture, {pixels.shape}")


OPTIONS = TrainOptions(
    steps=60,
    batch_size=8,
    learning_rate=0.05,
    optimizer="muon",
    ema=0.9,
    save_every=5,
    decay=True,
    warmup=3,
)


def weights(store: Memory, options: TrainOptions = OPTIONS) -> dict[str, torch.Tensor]:
    return Trainer(LinePhase(), options, store).run()


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_that_was_cut_off_continues_to_the_same_bits(optimizer):
    options = TrainOptions(**{**vars(OPTIONS), "optimizer": optimizer})
    whole = weights(Memory(), options)
    cut = Memory(dies_at=25)
    with pytest.raises(KeyboardInterrupt):
        weights(cut, options)
    rest = LinePhase()
    again = Trainer(rest, options, Memory(cut.state))
    assert again.step == 25
    assert equal(again.run(), whole)
    assert rest.asked[0] == list(range(25 * 8, 26 * 8))


def test_training_learns_and_says_how_far_it_is():
    store = Memory()
    options = TrainOptions(steps=400, batch_size=16, learning_rate=0.05, look_every=200)
    made = weights(store, options)
    assert torch.allclose(made["line.weight"], torch.ones(1, 3), atol=0.02)
    assert store.logged[-1][0] == 400
    assert store.logged[-1][1]["seconds_left"] == 0
    assert [step for step, facts in store.logged if "bias" in facts] == [200, 400]


def test_the_average_is_what_is_kept_and_the_training_goes_on_with_its_own():
    options = TrainOptions(**{**vars(OPTIONS), "look_every": 7})
    watched, blind = Memory(), Memory()
    looked_at = weights(watched, options)
    assert equal(looked_at, weights(blind, TrainOptions(**{**vars(OPTIONS), "look_every": 1000})))
    assert not torch.equal(looked_at["line.bias"], watched.state["weights"]["line.bias"])


@pytest.mark.parametrize(("processes", "accumulate"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)])
def test_a_step_has_the_same_examples_however_many_share_them(processes, accumulate):
    options = TrainOptions(batch_size=8, accumulate=accumulate)
    found = [
        index
        for rank in range(processes)
        for part in indices_of(options, Peers(rank, processes), 5)
        for index in part
    ]
    assert sorted(found) == list(range(40, 48))


def test_accumulated_parts_are_the_step_to_rounding():
    whole = weights(Memory(), TrainOptions(**{**vars(OPTIONS), "steps": 10}))
    parted = weights(Memory(), TrainOptions(**{**vars(OPTIONS), "steps": 10, "accumulate": 4}))
    for name, value in whole.items():
        assert torch.allclose(value, parted[name], atol=1e-6), name


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match=r"batch_size: 8: must be a multiple of .*\(3\)"):
        Trainer(LinePhase(), TrainOptions(batch_size=8), Memory(), peers=Peers(0, 3))


@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", 0), ("batch_size", 0), ("accumulate", 3), ("learning_rate", -1.0), ("ema", 1.0)],
)
def test_an_illegal_option_is_named(field, value):
    named = "batch_size" if field == "accumulate" else field
    with pytest.raises(ValueError, match=f"^{named}: "):
        TrainOptions(**{"batch_size": 8, field: value})
