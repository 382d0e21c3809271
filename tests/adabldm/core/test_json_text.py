"""Whatever is wrong with a JSON file is one kind of error."""

from __future__ import annotations

import pytest

from adabldm.core.json_text import load_json


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b"x"]
)
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        load_json(text)
