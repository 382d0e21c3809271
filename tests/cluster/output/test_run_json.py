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
