"""A cache that cannot be used is no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.storage.local_cache import KeptFiles


def test_what_is_kept_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    KeptFiles("kind").put("a", b"one")
    KeptFiles("kind").put("a", b"two")
    assert KeptFiles("kind").get("a") == b"two"
    assert KeptFiles("kind").get("b") is None
    assert KeptFiles("other").get("a") is None
    assert [path.name for path in (tmp_path / "adabldm/kind").iterdir()] == ["a"]


def test_a_cache_that_is_no_folder_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    KeptFiles("kind").put("a", b"one")
    assert KeptFiles("kind").get("a") is None


def test_a_name_that_is_taken_by_a_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "adabldm/kind/a").mkdir(parents=True)
    KeptFiles("kind").put("a", b"one")
    assert KeptFiles("kind").get("a") is None
    assert [path.name for path in (tmp_path / "adabldm/kind").iterdir()] == ["a"]
