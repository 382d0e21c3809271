"""The checks of a GPU, tried on a CPU: they find what is right right, and say what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from adabldm.sampling.options import ExactOptions, FastOptions
from jobs.gpu_check import __main__ as program
from jobs.gpu_check import workers
from jobs.gpu_check.bench import Bench
from jobs.gpu_check.findings import Finding, apart, carried_out, page
from jobs.gpu_check.method import METHOD
from tests.support.tiny import tiny_pipeline


@pytest.fixture
def bench() -> Bench:
    return Bench(
        open_model=tiny_pipeline,
        device="cpu",
        count=2,
        side=64,
        exact=ExactOptions(steps=5, adaptation_steps=2, resolution="model"),
        fast=FastOptions(steps=6, resolution="model"),
        compiler={"disable": True},
    )


@pytest.mark.parametrize("name", METHOD)
def test_each_check_of_the_method_holds_where_nothing_differs(name: str, bench: Bench) -> None:
    found = METHOD[name](bench)
    assert found.name == name
    assert found.holds, found
    assert found.gpu["mean difference"] < 0.1


def test_a_check_that_does_not_hold_is_found(bench: Bench) -> None:
    other = Bench(**{**vars(bench), "open_model": lambda: tiny_pipeline(1)})
    other.on_cpu = tiny_pipeline(0)
    assert METHOD["exact as on the CPU"](other).holds is False


def test_a_process_with_a_broken_context_ends(bench: Bench) -> None:
    found = workers.broken_context(bench)
    assert found.holds, found


def test_requests_of_the_memory_check_become_pairs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MANY", 3)
    model = "sleep://0?room=2"
    found = workers.out_of_memory(bench, model)
    assert found.gpu == {"made": 3, "batch": 1, "made with auto": 4, "its batch": 2}


def test_an_error_is_a_finding_and_a_page_has_all_of_them() -> None:
    def fails() -> Finding:
        raise RuntimeError("no | kernel")

    found = [
        carried_out("a", fails),
        Finding(name="b", holds=True, rule="r", gpu={"images/s": 12.345}, cpu={"images/s": 0.5}),
    ]
    text = page(found, {"GPU": "H100"})
    assert "| a | **no** |  |  | RuntimeError: no \\| kernel |" in text
    assert "| b | yes | images/s 12.3 | images/s 0.5 | r |" in text


def test_pictures_are_apart_by_their_largest_and_mean_difference() -> None:
    assert apart([np.array([1, 5], np.uint8)], [np.array([1, 2], np.uint8)]) == (1.5, 3)


def test_without_a_gpu_it_is_skipped_with_a_word(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    program.main(output=tmp_path / "page.md")
    assert "skipped: this machine has no GPU" in capsys.readouterr().out
    assert not (tmp_path / "page.md").exists()
