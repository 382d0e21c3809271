"""What windows and candidates cost."""

from __future__ import annotations

import pytest

from jobs.bench import windows


def test_windows_and_candidates(capsys: pytest.CaptureFixture[str]) -> None:
    windows.main(count=3)
    told = capsys.readouterr().out
    with capsys.disabled():
        print(f"\n{told}")
    assert {"exact", "fast"} <= set(told.split())
