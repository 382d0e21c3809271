from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from adabldm import parity
from adabldm.parity.comparison import difference
from adabldm.training.objectives import DenoiserLoss
from jobs import cli
from tests.support.authors_recording import record

pytestmark = pytest.mark.slow


@pytest.mark.shared
def test_every_quantity_of_the_authors_recording_is_reproduced(shared):
    result = CliRunner().invoke(cli.app, ["parity", str(shared / "reference" / "a")])
    print(result.output)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    for quantity in ("eps_cond", "run10 final latent", "run50 decoded image", "training loss"):
        assert any(line.startswith(quantity) and line.endswith("yes") for line in lines)
    assert not any(line.endswith("NO") for line in lines)


@pytest.mark.shared
def test_a_recording_that_differs_is_seen(shared, tmp_path):
    for name in ("meta.json", "weights.safetensors", "unit.safetensors", "masks.safetensors"):
        shutil.copy(shared / "reference" / "a" / name, tmp_path / name)
    meta = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps(meta | {"runs": {}}))
    unit = load_file(tmp_path / "unit.safetensors")
    unit["eps_cond"] = unit["eps_cond"] + 1e-4
    unit["vae/mean"] = unit["vae/mean"] * float("nan")
    save_file(unit, tmp_path / "unit.safetensors")
    wrong = {line.quantity for line in parity.replay(tmp_path) if not line.ok}
    assert wrong == {"eps_cond", "vae mean"}
    assert CliRunner().invoke(cli.app, ["parity", str(tmp_path)]).exit_code == 1


@pytest.mark.shared
def test_the_training_step_that_is_replayed_is_the_one_that_training_runs(
    shared, tmp_path, monkeypatch
):
    for name in ("meta.json", "weights.safetensors", "unit.safetensors", "masks.safetensors"):
        shutil.copy(shared / "reference" / "a" / name, tmp_path / name)
    meta = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps(meta | {"runs": {}}))
    right = DenoiserLoss.forward
    monkeypatch.setattr(DenoiserLoss, "forward", lambda *given: right(*given) * 1.01)
    wrong = {line.quantity for line in parity.replay(tmp_path) if not line.ok}
    assert "training loss" in wrong
    assert all(name.startswith(("training loss", "gradient")) for name in wrong)


@pytest.mark.shared
def test_a_recording_without_its_masks_is_replayed_without_them(shared, tmp_path):
    for name in ("meta.json", "weights.safetensors", "unit.safetensors"):
        shutil.copy(shared / "reference" / "a" / name, tmp_path / name)
    meta = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps(meta | {"runs": {}}))
    assert all(line.ok for line in parity.replay(tmp_path))
    assert parity.missing_parts(tmp_path) == ["masks.safetensors"]


@pytest.mark.parametrize(("levels", "residuals"), [(3, 10), (4, 13)])
def test_control_scales_count_from_twelve_whatever_the_number_of_residuals(
    tmp_path, levels, residuals
):
    lines = {line.quantity: line for line in parity.replay(record(tmp_path, levels))}
    assert len([name for name in lines if name.startswith("control_out/")]) == residuals
    assert lines["eps_cond_scaled_0.7x0.825"].ok
    assert all(line.ok for line in lines.values())


def test_what_a_recording_does_not_have_is_said_and_not_counted(tmp_path):
    result = CliRunner().invoke(cli.app, ["parity", str(record(tmp_path, 3))])
    assert result.exit_code == 0, result.output
    table = [line for line in result.output.splitlines() if line.endswith("yes")]
    assert f"{len(table)} of {len(table)} quantities agree" in result.output
    assert "left out: masks.safetensors is not in the recording" in result.output
    assert "left out: unit.safetensors: train/loss is not in the recording" in result.output


def test_what_is_left_out_does_not_hide_a_difference(tmp_path):
    record(tmp_path, 3)
    unit = load_file(tmp_path / "unit.safetensors")
    save_file(unit | {"eps_cond": unit["eps_cond"] + 1e-4}, tmp_path / "unit.safetensors")
    assert CliRunner().invoke(cli.app, ["parity", str(tmp_path)]).exit_code == 1


@pytest.mark.parametrize("name", ["meta.json", "weights.safetensors"])
def test_a_recording_without_what_it_needs_is_refused_by_name(tmp_path, name):
    (record(tmp_path, 3) / name).unlink()
    with pytest.raises(parity.RecordingFault, match=f"{name} does not exist"):
        list(parity.replay(tmp_path))
    assert CliRunner().invoke(cli.app, ["parity", str(tmp_path)]).exit_code != 0


def test_a_run_that_is_named_and_not_there_is_refused_before_anything_is_replayed(tmp_path):
    meta = json.loads((record(tmp_path, 3) / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps(meta | {"runs": {"run10": {}}}))
    with pytest.raises(parity.RecordingFault, match=r"run10\.safetensors does not exist"):
        next(parity.replay(tmp_path))


def test_a_recording_with_nothing_to_compare_is_refused(tmp_path):
    (record(tmp_path, 3) / "unit.safetensors").unlink()
    with pytest.raises(parity.RecordingFault, match="nothing to compare"):
        list(parity.replay(tmp_path))


def test_a_tensor_that_was_not_recorded_is_named(tmp_path):
    unit = load_file(record(tmp_path, 3) / "unit.safetensors")
    del unit["vae/mean"]
    save_file(unit, tmp_path / "unit.safetensors")
    with pytest.raises(parity.RecordingFault, match=r"unit\.safetensors: vae/mean is not recorded"):
        list(parity.replay(tmp_path))


def test_a_folder_without_a_recording_is_refused(tmp_path):
    with pytest.raises(parity.RecordingFault, match=r"meta\.json does not exist"):
        list(parity.replay(tmp_path))


def test_a_difference_that_is_no_number_is_not_ok():
    line = difference("x", torch.tensor([float("nan")]), torch.tensor([0.0]), 1.0)
    assert not line.ok
