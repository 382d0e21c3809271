"""How busy 64 logical workers are with uneven requests. Prints; asserts no times."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


def test_busy_share_of_64_workers(capsys: pytest.CaptureFixture[str]) -> None:
    """In a process of its own: the Ray that tests share has too few CPUs."""
    words = [sys.executable, "-m", "tests.bench.busy_share"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with capsys.disabled():
        print()
        print(told)
    assert "busy" in told
