"""``adabldm generate`` with a checkpoint as the authors' program saves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from transformers import CLIPTextConfig, CLIPTextModel

from adabldm import single_file, small_model
from adabldm.pipeline import AdaBLDMPipeline
from tests.cluster.making import hashes_of, index_of, write_manifest


def write_checkpoint(reference: Path, folder: Path) -> Path:
    """The recording's weights as ``model.ckpt`` with its tokenizer and configuration beside it.

    The recording has no text encoder, so one is added under the authors' names.
    """
    folder.mkdir()
    tokenizer = small_model.build_tokenizer(["a crack in metal"] * 8, merges=4)
    torch.manual_seed(0)
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=1,
            max_position_embeddings=small_model.TEXT_LENGTH,
            hidden_act="quick_gelu",
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    named = {single_file.TEXT + key: value for key, value in encoder.state_dict().items()}
    weights = single_file.read_weights(reference / "weights.safetensors")
    torch.save({"state_dict": weights | named, "global_step": 5}, folder / "model.ckpt")
    tokenizer.save_pretrained(folder / "tokenizer")
    config = json.loads((reference / "meta.json").read_text())["config"]
    (folder / "model.yaml").write_text(yaml.safe_dump(config))
    return folder / "model.ckpt"


@pytest.mark.shared
@pytest.mark.usefixtures("ray_address")
def test_the_authors_checkpoint_and_its_conversion_make_the_same_pairs(
    shared: Path, tmp_path: Path
) -> None:
    from jobs import generate

    checkpoint = write_checkpoint(shared / "reference" / "a", tmp_path / "authors")
    pipeline = AdaBLDMPipeline.from_single_file(
        checkpoint,
        config=checkpoint.with_suffix(".yaml"),
        tokenizer=checkpoint.parent / "tokenizer",
    )
    pipeline.save_pretrained(tmp_path / "converted", safe_serialization=True)
    manifest = write_manifest(tmp_path / "in", 2)
    for name, model in (("a", checkpoint), ("b", tmp_path / "converted")):
        generate.main(
            manifest=str(manifest),
            model=str(model),
            output=str(tmp_path / name),
            gpus_per_worker=0,
            steps=4,
            adaptation_steps=1,
        )
    assert [row["status"] for row in index_of(tmp_path / "a")] == ["ok", "ok"]
    assert hashes_of(tmp_path / "a") == hashes_of(tmp_path / "b")
