"""What a killed program leaves after a look goes away later, and what is in use stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cluster.storage import passing_file as module
from cluster.storage.location import Location
from cluster.storage.passing_file import clear_passing, is_passing, passing_file


@pytest.fixture(params=["disk", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "disk":
        return Location.of(str(tmp_path))
    return Location.of(f"{request.getfixturevalue('s3')}/out")


def test_what_is_old_is_removed_and_nothing_else(
    folder: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.join("metal/test/a.png").write(b"a pair")
    left = passing_file(folder)
    left.write(b"a look")
    clear_passing(folder)
    assert left.exists()
    monkeypatch.setattr(module, "LEFT_AFTER", timedelta(0))
    clear_passing(folder)
    assert list(folder.files()) == ["metal/test/a.png"]


def test_a_folder_that_is_not_there_is_no_trouble_and_is_not_made(folder: Location) -> None:
    nowhere = folder.join("nowhere")
    clear_passing(nowhere)
    assert not nowhere.exists()


def test_a_store_whose_library_raises_its_own_errors_fails_no_job(
    folder: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    class HttpError(Exception):
        """Of no kind that others know."""

    asked: list[str] = []

    def denied(path: str) -> None:
        asked.append(path)
        raise HttpError(path)

    left = passing_file(folder)
    left.write(b"a look")
    monkeypatch.setattr(module, "LEFT_AFTER", timedelta(0))
    with monkeypatch.context() as trouble:
        trouble.setattr(folder.fs, "rm_file", denied)
        clear_passing(folder)
    assert len(asked) == 1
    assert left.exists()


def test_only_files_of_the_folder_itself_are_meant() -> None:
    assert is_passing(passing_file(Location.of("/out")).path.removeprefix("/out/"))
    assert not is_passing("metal/.passing-1")
