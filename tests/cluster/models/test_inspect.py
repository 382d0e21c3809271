"""A start in Stable Diffusion's layout: what is read of it, and what is refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from cluster.models.inspect import model_files, model_location, safetensors_fault
from cluster.models.kinds import inspect_model
from cluster.storage.location import Location
from tests.support.starts import IGNORED, PICKLED, add_ignored, sd_file, sd_folder
from tests.support.tiny import tiny_pipeline


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return sd_folder(tmp_path / "sd")


def test_what_is_never_loaded_is_neither_refused_nor_fingerprinted(folder: Path) -> None:
    alone = inspect_model(str(folder)).fingerprint
    index = (folder / "model_index.json").read_bytes()
    add_ignored(folder)
    (folder / "model_index.json").write_bytes(index)
    assert inspect_model(str(folder)).fingerprint == alone
    names = list(model_files(model_location(str(folder))))
    assert not set(names) & set(IGNORED)
    assert "unet/diffusion_pytorch_model.safetensors" in names


def test_pickled_weights_that_would_be_loaded_are_refused(folder: Path) -> None:
    add_ignored(folder)
    (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(InputFault, match=r"^model: .*needs unet/.*holds unet/.*\.bin"):
        inspect_model(str(folder))


def test_a_pickle_beside_the_words_is_refused(folder: Path) -> None:
    (folder / "tokenizer/vocab.pkl").write_bytes(PICKLED)
    with pytest.raises(InputFault, match="weights as safetensors only"):
        inspect_model(str(folder))


def test_a_pipelines_own_folder_holds_safetensors_alone(tmp_path: Path) -> None:
    tiny_pipeline().save_pretrained(tmp_path)
    assert inspect_model(str(tmp_path)).has_control_branch
    (tmp_path / "unet/diffusion_pytorch_model.bin").write_bytes(PICKLED)
    with pytest.raises(InputFault, match="weights as safetensors only"):
        inspect_model(str(tmp_path))


def test_whether_there_is_a_control_branch_is_known_wherever_the_model_is(
    folder: Path, s3: str
) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            target = Location.of(f"{s3}/sd").join(str(path.relative_to(folder)))
            target.write(path.read_bytes())
    assert not inspect_model(f"{s3}/sd").has_control_branch
    assert not inspect_model(str(folder)).has_control_branch
    assert inspect_model("embedded").has_control_branch
    assert inspect_model("sleep://0").has_control_branch
    shutil.rmtree(folder)
    with pytest.raises(InputFault, match=r"^model: "):
        inspect_model(str(folder))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["m.ckpt", "m.safetensors"])
@pytest.mark.parametrize("control", [False, True])
def test_single_files_pass_with_and_without_a_control_branch(
    name: str, control: bool, shared: Path, tmp_path: Path
) -> None:
    file = sd_file(shared / "reference/a", tmp_path / "in", name, control=control)
    assert len(inspect_model(str(file)).fingerprint) == 64
    assert inspect_model(str(file)).has_control_branch is control


def test_a_file_whose_header_cannot_be_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"\0" * 99)
    with pytest.raises(InputFault, match=r"^model: "):
        inspect_model(str(file))


@pytest.mark.parametrize("end", ["9", None, [1], 1e400, "x", {}])
def test_offsets_that_are_no_numbers_are_no_safetensors(tmp_path: Path, end: object) -> None:
    header = json.dumps({"a": {"data_offsets": [0, 4]}, "b": {"data_offsets": [0, end]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"1234")
    assert "safetensors" in (safetensors_fault(Location.of(str(path))) or "") or end == "9"


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_checkpoint_with_broken_packing_is_refused_in_a_line(
    tmp_path: Path, packing: int
) -> None:
    path = tmp_path / "m.ckpt"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("archive/data.pkl", b"a" * 4000)
    data = bytearray(path.read_bytes())
    data[60:70] = b"\xff" * 10
    path.write_bytes(data)
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "vocab.json").write_text("{}")
    with pytest.raises(InputFault, match=r"\Amodel: .*\Z"):
        inspect_model(str(path))
