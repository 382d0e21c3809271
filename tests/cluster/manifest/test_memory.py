"""A manifest that was found in order is not checked again while nothing of it changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cluster.manifest import memory as module
from cluster.manifest.memory import Memory
from cluster.manifest.reader import Manifest
from cluster.manifest.request_checks import RequestChecks
from cluster.manifest.roster import Roster
from cluster.manifest.validation import validate
from cluster.models.inspect import ModelFacts
from cluster.models.row_models import RowModels
from tests.support.making import good_png, rows_of, write_manifest

ROWS = 12


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_ROWS", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def opened(path: Path, how: str = "so", model: str = "one") -> tuple[Memory, RequestChecks]:
    def inspect(uri: str) -> ModelFacts:
        return ModelFacts(uri=uri, fingerprint=model)

    manifest = Manifest(str(path))
    memory = Memory(manifest, [how])
    models = RowModels(manifest.resolve, inspect("sleep://0"), inspect, {})
    return memory, RequestChecks(manifest, models, memory.looked)


def checked(path: Path) -> Roster:
    memory, checks = opened(path)
    roster = validate(Manifest(str(path)), checks, memory=memory)
    memory.keep(roster, ["a remark", "another"])
    return roster


def test_what_was_found_is_found_again_with_nothing_committed(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, ROWS)
    before = checked(path)
    ids = [row["request_id"] for row in rows_of(ROWS)]
    before.mark_done([0, 5])
    memory, checks = opened(path)
    found = memory.recall(checks)
    assert found is not None
    roster, lines = found
    assert lines == ["a remark", "another"]
    assert roster.find(ids) == before.find(ids)
    assert len(roster.find(ids)) == roster.count() == roster.count(done=False) == ROWS
    assert before.count(done=False) == ROWS - 2
    roster.mark_done([3])
    assert set(roster.pending(ids)) == set(ids) - {"r0003"}
    assert not roster.any_pending(3, 4)
    assert roster.any_pending(3, 5)


def rewritten(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, ROWS - 1), path)


def replaced(path: Path) -> None:
    (path.parent / "files/good0.png").write_bytes(good_png(2))


def touched(path: Path) -> None:
    os.utime(path.parent / "files/mask.png", ns=(1, 1))


def gone(path: Path) -> None:
    (path.parent / "files/trimap1.png").unlink()


@pytest.mark.parametrize("change", [rewritten, replaced, touched, gone])
def test_a_manifest_of_which_anything_changed_is_checked_again(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, ROWS)
    checked(path)
    change(path)
    memory, checks = opened(path)
    assert memory.recall(checks) is None


@pytest.mark.parametrize("other", [{"how": "otherwise"}, {"model": "two"}])
def test_other_rules_and_other_models_are_checked_anew(
    other: dict[str, str], tmp_path: Path
) -> None:
    path = write_manifest(tmp_path, ROWS)
    checked(path)
    memory, checks = opened(path, **other)
    assert memory.recall(checks) is None


def test_a_spoilt_memory_is_none_and_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, ROWS)
    checked(path)
    folder = tmp_path / "cache/adabldm/checked"
    (kept,) = folder.iterdir()
    kept.write_bytes(b"no database")
    memory, checks = opened(path)
    assert memory.recall(checks) is None
    for count in range(3, 9):
        checked(write_manifest(tmp_path, count))
    assert len(list(folder.iterdir())) == module.KEPT


def test_a_picture_that_changed_while_it_was_looked_at_is_not_remembered(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, ROWS)
    memory, checks = opened(path)
    roster = validate(Manifest(str(path)), checks, memory=memory)
    memory.looked((tmp_path / "files/good0.png").as_uri(), "another stamp")
    memory.keep(roster, [])
    memory, checks = opened(path)
    assert memory.recall(checks) is None
