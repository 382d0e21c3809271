from __future__ import annotations

import os
import pickle

import pytest
import torch

from adabldm.networks import ldm_checkpoint
from adabldm.networks.formats import CheckpointFault
from adabldm.pipeline import AdaBLDMPipeline


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: {"state_dict": {"w": p}}])
def test_code_in_a_checkpoint_is_never_run(tmp_path, wrap):
    proof, file = tmp_path / "ran", tmp_path / "model.ckpt"
    torch.save(wrap(Payload(proof)), file)
    with pytest.raises(CheckpointFault, match="not a file of weights alone"):
        ldm_checkpoint.read_weights(file)
    file.write_bytes(pickle.dumps(Payload(proof)))
    with pytest.raises(CheckpointFault, match="not a file of weights alone"):
        ldm_checkpoint.read_weights(file)
    assert not proof.exists()


@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors"])
def test_a_file_of_noise_or_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(CheckpointFault, match=name):
        ldm_checkpoint.read_weights(tmp_path / name)
    (tmp_path / name).write_bytes(b"\x00garbage" * 100)
    with pytest.raises(CheckpointFault, match=name):
        ldm_checkpoint.read_weights(tmp_path / name)


def test_a_checkpoint_of_another_kind_names_the_missing_part(tmp_path):
    torch.save({"state_dict": {"model.diffusion_model.x": torch.zeros(1)}}, tmp_path / "sd.ckpt")
    with pytest.raises(CheckpointFault, match=r"control_model\.\*"):
        ldm_checkpoint.read_weights(tmp_path / "sd.ckpt")


@pytest.mark.shared
def test_the_authors_layout_loads_from_a_ckpt_with_its_text_encoder(shared, tmp_path):
    """The recording has no text encoder, so one is added under the authors' names."""
    from adabldm.networks import small

    folder = shared / "reference" / "a"
    weights = ldm_checkpoint.read_weights(folder / "weights.safetensors")
    tokenizer = small.build_tokenizer(["a crack"] * 8, merges=4)
    encoder = small.build_text_encoder(tokenizer)
    named = {ldm_checkpoint.TEXT + key: value for key, value in encoder.state_dict().items()}
    torch.save({"state_dict": weights | named, "global_step": 5}, tmp_path / "model.ckpt")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    pipeline = AdaBLDMPipeline.from_single_file(
        tmp_path / "model.ckpt",
        config={"model": {"params": {"unet_config": {"params": {"num_heads": 4}}}}},
        tokenizer=tmp_path / "tokenizer",
        image_size=64,
    )
    assert pipeline.image_size == 64
    assert pipeline.unet.config.attention_head_dim == 4
    loaded = pipeline.text_encoder.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in encoder.state_dict().items())
    assert pipeline.vae.config.scaling_factor == pytest.approx(0.18215)
    pipeline.save_pretrained(tmp_path / "converted", safe_serialization=True)
    again = AdaBLDMPipeline.from_pretrained(tmp_path / "converted")
    ours, theirs = pipeline.unet.state_dict(), again.unet.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
