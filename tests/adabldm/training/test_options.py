"""What a user may choose: known without torch, and said in one place."""

from __future__ import annotations

import inspect

import pytest

from adabldm.training.options import PAPER, PAPER_BRANCH, WholeModelOptions, embedded_branch
from jobs.verbs import train
from tests.support.laws import chain_to_torch


@pytest.mark.parametrize("module", ["adabldm.training.options", "adabldm.training.texts"])
def test_options_and_texts_load_no_torch(module):
    assert chain_to_torch(module) is None


def test_what_is_not_typed_is_the_papers_and_of_the_embedded_model_its_own():
    nothing = dict.fromkeys(("steps", "batch_size", "learning_rate", "ema", "save_every"))
    rest = dict.fromkeys(("pairs", "defect_weight", "decoder_half"))
    assert train._branch(PAPER_BRANCH, nothing, rest) == PAPER_BRANCH
    for defaults in (embedded_branch(on_gpu=False), embedded_branch(on_gpu=True)):
        assert train._branch(defaults, nothing, rest) == defaults
        chosen = train._branch(defaults, {**nothing, "steps": 7}, {**rest, "decoder_half": False})
        assert (chosen.train.steps, chosen.decoder_half) == (7, False)
        assert chosen.train.learning_rate == defaults.train.learning_rate


def test_the_other_options_of_the_command_line_have_the_papers_defaults():
    typed = {name: one.default for name, one in inspect.signature(train.main).parameters.items()}
    for options in (PAPER, PAPER_BRANCH):
        for name, value in vars(options).items():
            if typed.get(name) is not None:
                assert typed[name] == value, name
    assert train.DEFAULT_STEPS.startswith("50000; of the embedded model ")


def test_a_cpu_trains_a_branch_of_the_embedded_model_in_fewer_steps():
    cpu, gpu = (embedded_branch(on_gpu=on_gpu) for on_gpu in (False, True))
    assert cpu.train.steps * cpu.train.batch_size <= 4000 < gpu.train.steps * gpu.train.batch_size


def test_a_brief_training_of_a_whole_model_has_every_phase():
    plain, brief = WholeModelOptions(), WholeModelOptions.of(55, accumulate=1, seed=4)
    assert abs(brief.steps - 55) <= 2
    assert list(brief.phases) == list(plain.phases)
    for name, phase in brief.phases.items():
        assert phase.steps == max(1, round(plain.phases[name].steps * 55 / plain.steps))
    assert brief.seed == 4
