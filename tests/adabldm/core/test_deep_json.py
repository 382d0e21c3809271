"""JSON that is nested beyond all sense is broken JSON, whoever reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.data.layouts import coco, labelme
from adabldm.parity.recording import RecordingFault, _read_meta

DEEP = "[" * 200_000 + "]" * 200_000


class DeepTree:
    """Every file of it is deep."""

    def read_text(self, _: str) -> str:
        return DEEP


def test_annotations_that_are_nested_too_deeply_are_told() -> None:
    assert coco._content(DeepTree(), "a.json") is None
    assert labelme._content(DeepTree(), "a.json") == "is not JSON: is nested too deeply"


@pytest.mark.parametrize("text", [DEEP, "{", "[1]"])
def test_a_recording_with_a_broken_description_is_told_in_a_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(RecordingFault) as told:
        _read_meta(tmp_path)
    assert str(told.value).startswith(f"{tmp_path}/meta.json: ")
    assert "\n" not in str(told.value)
