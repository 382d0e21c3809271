from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from adabldm import parity
from adabldm.training.objectives import DenoiserLoss
from jobs import cli


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


def test_a_folder_without_a_recording_is_refused(tmp_path):
    with pytest.raises(parity.RecordingFault, match=r"meta\.json does not exist"):
        list(parity.replay(tmp_path))


def test_a_difference_that_is_no_number_is_not_ok():
    line = parity._difference("x", torch.tensor([float("nan")]), torch.tensor([0.0]), 1.0)
    assert not line.ok
