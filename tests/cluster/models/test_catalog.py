"""Branches on a worker, without Ray."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from adabldm.branches.card import CARD, WEIGHTS, BranchCard
from adabldm.sampling.options import ExactOptions
from cluster.generate.windows import pending_windows
from cluster.generate.worker import Worker, WorkerSettings
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from cluster.models.catalog import FoundBranch, open_branches
from cluster.models.inspect import ModelFacts
from cluster.models.loading import Backends, ModelFault
from cluster.models.row_models import RowModels
from cluster.storage.location import Location
from tests.support.branches import FINGERPRINT, base_weights, write_branch
from tests.support.making import Row, checks_of, write_manifest
from tests.support.tiny import tiny_pipeline

OPTIONS = ExactOptions(steps=4, adaptation_steps=1)
MODELS = ["metal/crack", None, "tile", "metal/crack", None, "tile"]
BASE = ModelFacts(uri="base", fingerprint=FINGERPRINT)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, ``base``, and in ``trained`` its branches ``metal/crack`` and ``tile``."""
    folder, pipeline = tmp_path_factory.mktemp("models"), tiny_pipeline()
    pipeline.save_pretrained(folder / "base")
    write_branch(folder / "trained/metal/crack", pipeline, 1)
    write_branch(folder / "trained/tile", pipeline, 2, rank=4)
    return folder


def work(folder: Path, models: Path, branches: Mapping[str, FoundBranch]) -> pa.Table:
    """What a worker gets for rows of mixed models."""

    def change(rows: list[Row]) -> None:
        for row, model in zip(rows, MODELS, strict=True):
            row["model"] = model

    manifest = Manifest(str(write_manifest(folder, len(MODELS), change)))
    checks = checks_of(manifest, str(models / "base"), branches)
    roster = validate(manifest, checks)
    (window,) = pending_windows(manifest, checks, roster, len(MODELS))
    roster.close()
    return window.table()


def made(worker: Worker, rows: pa.Table) -> dict[str, str]:
    facts = worker(rows).to_pylist()
    assert {(row["status"], row["reason"]) for row in facts} == {("ok", None)}
    return {row["request_id"]: row["image_sha256"] for row in facts}


def worker_at(folder: Path) -> Worker:
    place = Location.of(str(folder))
    return Worker(WorkerSettings(output=place, options=OPTIONS, device="cpu"))


def upload(folder: Path, target: Location) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            target.join(str(path.relative_to(folder))).write(path.read_bytes())


def test_rows_of_mixed_branches_come_out_as_each_branch_makes_them_alone(
    models: Path, tmp_path: Path
) -> None:
    rows = work(tmp_path / "in", models, open_branches([], str(models / "trained"), BASE))
    branches = rows["branch"].to_pylist()
    assert branches == sorted(branches, key=lambda uri: uri or "")
    mixed = made(worker_at(tmp_path / "mixed"), rows)
    shuffled = rows.take([4, 1, 5, 0, 3, 2])
    assert made(worker_at(tmp_path / "shuffled"), shuffled) == mixed
    one_by_one = worker_at(tmp_path / "one_by_one")
    for start in range(len(rows)):
        assert made(one_by_one, shuffled.slice(start, 1)).items() <= mixed.items()
    alone: dict[str, str] = {}
    for start in (0, 2, 4):  # two rows of each
        alone |= made(worker_at(tmp_path / str(start)), rows.slice(start, 2))
    assert alone == mixed
    assert len(set(mixed.values())) == len(MODELS)


def test_a_branch_that_is_elsewhere_is_fetched_once_a_machine(
    models: Path, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remote = Location.of(f"{s3}/trained")
    upload(models / "trained", remote)
    branch = open_branches([], remote.uri, BASE)["metal/crack"]
    asked = str(models / "base"), "", branch.place.uri, branch.card.fingerprint
    first = base_weights(Backends("cpu").get(*asked))
    remote.fs.rm(remote.path, recursive=True)
    again = base_weights(Backends("cpu").get(*asked))
    assert all(first[name].equal(again[name]) for name in first)
    assert [path.name for path in (tmp_path / "adabldm/branches").iterdir()] == [
        branch.card.fingerprint
    ]


def test_a_broken_copy_of_a_branch_is_not_kept(
    models: Path, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remote = Location.of(f"{s3}/tile")
    upload(models / "trained/tile", remote)
    card = BranchCard.from_json(remote.join(CARD).read())
    asked = str(models / "base"), "", remote.uri, card.fingerprint
    whole = remote.join(WEIGHTS).read()
    remote.join(WEIGHTS).write(whole[:-1])
    with pytest.raises(ModelFault, match="weights_sha256"):
        Backends("cpu").get(*asked)
    assert not list((tmp_path / "adabldm/branches").iterdir())
    remote.join(WEIGHTS).write(whole)
    Backends("cpu").get(*asked)


def test_a_branch_that_changed_after_the_check_is_not_used(models: Path, tmp_path: Path) -> None:
    write_branch(tmp_path / "crack", tiny_pipeline(), 1)
    branches = open_branches(
        [f"{alias}={tmp_path}/crack" for alias in ("metal/crack", "tile")], None, BASE
    )
    rows = work(tmp_path / "in", models, branches)
    write_branch(tmp_path / "crack", tiny_pipeline(), 2)
    facts = worker_at(tmp_path / "out")(rows).to_pylist()
    assert [row["status"] for row in facts].count("unloadable") == 4
    told = [row["reason"] for row in facts if row["status"] == "unloadable"]
    assert all("is not the branch that was checked" in reason for reason in told)


def test_a_relative_model_is_looked_for_beside_the_manifest_only(tmp_path: Path) -> None:
    manifest = Manifest(str(write_manifest(tmp_path / "in")))
    (tmp_path / "in/own").mkdir()
    models = RowModels(manifest.resolve, BASE, lambda uri: ModelFacts(uri=uri, fingerprint=uri), {})
    assert models.of("own").model_fingerprint == Location.of(str(tmp_path / "in/own")).uri
    for outside in ("../in", str(tmp_path), "cluster"):
        with pytest.raises(ValueError, match=r"'\.\.'|outside the allowed roots|no file or folder"):
            models.of(outside)


def test_an_alias_is_the_folders_path_or_its_name(models: Path) -> None:
    assert list(open_branches([], str(models / "trained/metal/crack"), BASE)) == ["crack"]
    assert list(open_branches([], str(models / "trained"), BASE)) == ["metal/crack", "tile"]
