from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import tenacity.nap

from cluster.models.inspect import model_location
from cluster.models.kinds import inspect_model
from cluster.models.loading import MODELS_KEPT, Backends, ModelFault, load_backend
from cluster.storage.hashing import file_sha256
from cluster.storage.local_cache import FetchFault, fetched
from cluster.storage.location import Location
from tests.support.tiny import SIDE, tiny_pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny_pipeline().save_pretrained(folder)
    return folder


def upload(folder: Path, target: Location) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            target.join(str(path.relative_to(folder))).write(path.read_bytes())


def test_a_models_fingerprint_is_its_content_wherever_it_is(model: Path, s3: str) -> None:
    upload(model, Location.of(f"{s3}/model"))
    here = inspect_model(str(model)).fingerprint
    assert inspect_model(f"{s3}/model").fingerprint == here
    Location.of(f"{s3}/model/tokenizer/more.txt").write(b"x")
    assert inspect_model(f"{s3}/model").fingerprint != here


def test_a_remote_model_is_fetched_once_a_machine(
    model: Path, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remote = Location.of(f"{s3}/model")
    upload(model, remote)
    fingerprint = inspect_model(remote.uri).fingerprint
    assert load_backend(remote.uri, "cpu", fingerprint).image_size == SIDE
    for name in ("unet", "vae", "controlnet", "text_encoder"):
        remote.fs.rm(f"{remote.path}/{name}", recursive=True)
    assert load_backend(remote.uri, "cpu", fingerprint).image_size == SIDE
    assert len(list((tmp_path / "adabldm/models").iterdir())) == 1


def test_the_embedded_model_has_a_name_of_its_own() -> None:
    place = model_location("embedded")
    assert place.is_folder()
    assert inspect_model("embedded").fingerprint == inspect_model(place.uri).fingerprint


def test_a_worker_keeps_the_last_few_models() -> None:
    backends = Backends("cpu")
    first = backends.get("sleep://0?version=0", "")
    assert backends.get("sleep://0?version=0", "") is first
    for version in range(1, MODELS_KEPT + 1):
        backends.get(f"sleep://0?version={version}", "")
    assert backends.get("sleep://0?version=0", "") is not first


def test_a_model_that_cannot_be_loaded_is_told_in_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text((model / "model_index.json").read_text())
    with pytest.raises(ModelFault) as refused:
        load_backend(str(tmp_path), "cpu", "")
    assert str(refused.value).startswith(f"model: {str(tmp_path)!r}: cannot be loaded: ")
    assert "\n" not in str(refused.value)


def test_a_model_that_changes_after_the_check_is_not_loaded_nor_kept(
    s3: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = Location.of(f"{s3}/model")
    upload(model, place)
    checked = inspect_model(place.uri).fingerprint
    config = place.join("unet/config.json")
    held = config.read()
    config.write(held + b"\n")
    with pytest.raises(ModelFault, match="is not the model that was checked"):
        load_backend(place.uri, "cpu", checked)
    assert not [one for one in (tmp_path / "cache").rglob("*") if one.is_file()]
    config.write(held)
    assert load_backend(place.uri, "cpu", checked).image_size == SIDE


def test_a_copy_that_was_changed_in_the_cache_is_fetched_again(
    model: Path, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = Location.of(f"{s3}/model")
    upload(model, place)
    checked = inspect_model(place.uri).fingerprint
    load_backend(place.uri, "cpu", checked)
    (weights,) = tmp_path.glob("adabldm/models/*/unet/*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert load_backend(place.uri, "cpu", checked).image_size == SIDE
    (kept,) = (tmp_path / "adabldm/models").iterdir()
    assert kept.name == checked
    assert file_sha256(Location.of(str(weights))) == file_sha256(place.join(f"unet/{weights.name}"))


def test_a_fetch_that_fails_for_a_moment_is_tried_again(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    file = Location.of(f"{s3}/a")
    file.write(b"whole")
    left = [2]
    get = file.fs.get_file

    def unsteady(*args: object) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError("503 slow down")
        get(*args)

    monkeypatch.setattr(file.fs, "get_file", unsteady)
    folder = fetched("models", "print", lambda: {"a": file})
    assert (folder / "a").read_bytes() == b"whole"
    left[0] = 3
    with pytest.raises(FetchFault, match="503 slow down"):
        fetched("models", "other", lambda: {"a": file})


def test_a_local_model_that_changes_after_the_check_is_not_loaded(
    model: Path, tmp_path: Path
) -> None:
    place = tmp_path / "model"
    shutil.copytree(model, place)
    checked = inspect_model(str(place)).fingerprint
    load_backend(str(place), "cpu", checked)
    (place / "tokenizer/more.txt").write_text("x")
    with pytest.raises(ModelFault, match="is not the model that was checked"):
        load_backend(str(place), "cpu", checked)
