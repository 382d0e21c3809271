from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import pytest

import adabldm
from adabldm.sampling.modes import MODES
from adabldm.sampling.options import ExactOptions, FastOptions, options_of

STAGES = {
    "guidance": 9.0,
    "eta": 0.0,
    "latent_editing_start": 0.52,
    "image_editing_start": 0.9,
    "adaptation_rate": 1e-4,
    "background_weight": 100.0,
    "resolution": "native",
}


def test_what_an_output_records_of_its_options_does_not_change():
    """An output that was made is continued only if all of it is the same."""
    assert asdict(ExactOptions()) == {
        **STAGES,
        "mode": "exact",
        "steps": 50,
        "adaptation_steps": 200,
    }
    assert asdict(FastOptions()) == {
        **STAGES,
        "mode": "fast",
        "guidance": 3.0,
        "steps": 10,
        "latent_editing_start": 0.0,
        "adaptation_steps": 0,
        "solver": "dpm-solver++",
        "image_edits": 1,
        "guided_edits": False,
        "strength": 0.5,
        "detail": 1.0,
        "smoothness": 20.0,
    }


def test_neither_mode_is_a_kind_of_the_other():
    assert not issubclass(FastOptions, ExactOptions)
    assert not issubclass(ExactOptions, FastOptions)
    assert ExactOptions().smoothness is None


def test_every_mode_has_its_functions():
    for mode in MODES:
        assert type(MODES[mode].trial(options_of(mode))) is type(options_of(mode))
    assert set(MODES) == {ExactOptions().mode, FastOptions().mode}


def test_the_papers_options_keep_their_public_name():
    assert adabldm.SamplerOptions(steps=20) == adabldm.ExactOptions(steps=20)
    assert adabldm.FastOptions() == options_of("fast")


def test_options_are_chosen_without_torch():
    code = "import sys, adabldm.sampling.options; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("steps", 1001),
        ("guidance", float("nan")),
        ("eta", 2.0),
        ("adaptation_steps", -1),
        ("image_editing_start", 1.5),
        ("latent_editing_start", 0.95),
    ],
)
def test_an_illegal_option_is_named_with_its_value(field, value):
    with pytest.raises(ValueError, match=f"^{field}: "):
        ExactOptions(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "exact"),
        ("steps", 201),
        ("eta", 1.0),
        ("solver", "euler"),
        ("steps", 1),
        ("image_edits", -1),
        ("strength", 0.0),
        ("strength", 1.1),
        ("detail", -0.1),
        ("detail", 1.1),
        ("smoothness", -1.0),
        ("smoothness", float("nan")),
        ("background_weight", 0.0),
        ("latent_editing_start", 3),
        ("image_editing_start", 1.0),
        ("image_editing_start", 0.49),
    ],
)
def test_an_illegal_option_of_fast_is_named_with_its_value(field, value):
    with pytest.raises(ValueError, match=f"^{field}: {value!r}: "):
        FastOptions(**({"latent_editing_start": 0.1} | {field: value}))


def test_a_mode_has_its_own_defaults():
    assert options_of("exact") == ExactOptions()
    assert options_of("fast", guidance=5.0) == FastOptions(guidance=5.0)
    with pytest.raises(ValueError, match="mode: 'quick': must be one of exact, fast"):
        options_of("quick")
    with pytest.raises(ValueError, match=r"mode: 'fast': .*options_of"):
        ExactOptions(mode="fast")
