"""A fault is a line, whatever is in the names that it tells."""

from __future__ import annotations

import pytest

from adabldm.core.faults import printable
from adabldm.data.layouts import DatasetFinding


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("\ud800", r"\ud800"),
        ("a\x1b[2J", r"a\x1b[2J"),
        ("caf\u00e9 \u6f22", "caf\u00e9 \u6f22"),
    ],
)
def test_a_name_never_breaks_its_line(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(DatasetFinding("name", text, "rule")) == f"{shown}: rule"
