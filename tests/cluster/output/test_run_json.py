"""A run.json that is none is refused in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from cluster.output.run_json import FILE, RunBinding
from cluster.storage.location import Location

BINDING = RunBinding(model="m", model_fingerprint="ab" * 32, config={"steps": 5})
HELD = {"schema_version": 1, "model": "m", "model_fingerprint": "ab" * 32, "config": {"steps": 5}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_fingerprint": 1}, "model_fingerprint"),
        ({"model": None}, "model"),
        ({"config": [5]}, "config"),
        ({"schema_version": "\n"}, "schema version"),
        ({"schema_version": [1] * 1000}, "schema version"),
    ],
)
def test_fields_of_other_kinds_are_named(tmp_path: Path, change: dict, told: str) -> None:
    (tmp_path / FILE).write_text(json.dumps(HELD | change))
    with pytest.raises(InputFault, match=rf"\Aoutput: .*{told}.*\Z"):
        BINDING.check(Location.of(str(tmp_path)))


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b"null", b"[" * 100_000, b"\xff\xfe", b'"x"'])
def test_what_is_no_run_json_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / FILE).write_bytes(text)
    with pytest.raises(InputFault, match=r"is not the run.json of an output\Z"):
        BINDING.check(Location.of(str(tmp_path)))


JUDGED = {"steps": 5, "judge": {"candidates": 4, "mask": "asked", "limits": {"seam": 8.0}}}


def bound(folder: Path, config: dict) -> RunBinding:
    (folder / FILE).write_text(json.dumps(HELD | {"config": config}))
    return RunBinding(model="m", model_fingerprint="ab" * 32, config=config)


def test_an_output_from_before_the_judge_is_one_that_is_not_judged(tmp_path: Path) -> None:
    before = bound(tmp_path, {"steps": 5})
    output = Location.of(str(tmp_path))
    assert before.check(output)
    judged = RunBinding(model="m", model_fingerprint="ab" * 32, config=JUDGED)
    with pytest.raises(InputFault, match=r"\Ajudge: 'on': .* was made with 'off'; use the same"):
        judged.check(output)
    bound(tmp_path, JUDGED)
    assert judged.check(output)
    with pytest.raises(InputFault, match=r"\Ajudge: 'off': .* was made with 'on'"):
        before.check(output)


def test_each_of_the_judges_settings_is_named(tmp_path: Path) -> None:
    bound(tmp_path, JUDGED)
    other = {"steps": 5, "judge": {"candidates": 1, "mask": "asked", "limits": {"seam": 9.0}}}
    binding = RunBinding(model="m", model_fingerprint="ab" * 32, config=other)
    with pytest.raises(InputFault) as refused:
        binding.check(Location.of(str(tmp_path)))
    told = [line.partition(" /")[0] for line in refused.value.lines]
    assert told == ["judge.candidates: 1:", "judge.limits.seam: 9.0:"]
