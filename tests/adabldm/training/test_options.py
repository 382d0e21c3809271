"""What a user may choose: known without torch, and said in one place."""

from __future__ import annotations

import inspect

import pytest

from adabldm.training.options import PAPER, PAPER_BRANCH, WholeModelOptions
from jobs.verbs import train
from tests.support.laws import chain_to_torch


@pytest.mark.parametrize("module", ["adabldm.training.options", "adabldm.training.texts"])
def test_options_and_texts_load_no_torch(module):
    assert chain_to_torch(module) is None


def test_the_command_line_has_the_options_own_defaults():
    typed = {name: one.default for name, one in inspect.signature(train.main).parameters.items()}
    for options in (PAPER, PAPER_BRANCH):
        for name, value in vars(options).items():
            if name in typed and name != "steps":
                assert typed[name] == value, name
    assert typed["steps"] is None
    assert train.DEFAULT_STEPS == "50000; from scratch 5500"


def test_a_brief_training_of_a_whole_model_has_every_phase():
    brief = WholeModelOptions.of(55, accumulate=1, seed=4)
    assert brief.steps == 55
    assert [phase.steps for phase in brief.phases.values()] == [22, 12, 11, 10]
    assert brief.seed == 4
