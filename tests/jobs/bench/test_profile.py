from __future__ import annotations

import json
from pathlib import Path

import pytest

from adabldm.sampling.options import FastOptions
from jobs.bench.profile import KINDS, REST, kind, profiled, show
from tests.support.tiny import requests, tiny_pipeline


def test_kinds_hold_all_of_the_time_and_the_trace_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = FastOptions(steps=3, image_edits=1)
    made = profiled("fast, tuned", tiny_pipeline(), requests(1), options, tmp_path / "traces")
    kinds = made.by_kind()
    assert set(kinds) == {*KINDS, REST}
    assert sum(kinds.values()) == pytest.approx(sum(made.seconds.values()))
    assert kinds["convolution"] > 0
    assert kinds["optimiser"] == 0
    assert json.loads((tmp_path / "traces" / "fast_tuned.json").read_text())["traceEvents"]
    show([made])
    assert "convolution" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("aten::_slow_conv2d_forward", "convolution"),
        ("aten::addmm", "matrix product"),
        ("aten::native_group_norm", "normalisation"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("aten::_foreach_addcdiv_", "optimiser"),
        ("aten::copy_", "copies"),
        ("aten::add", REST),
    ],
)
def test_an_operator_is_of_one_kind(operator: str, expected: str) -> None:
    assert kind(operator) == expected
