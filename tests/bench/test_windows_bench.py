"""What windows and candidates cost."""

from __future__ import annotations

import pytest

from jobs.bench import windows


def test_windows_and_candidates(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print()
        windows.main(count=3)
