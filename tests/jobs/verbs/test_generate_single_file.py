"""``adabldm generate`` with a checkpoint as the authors' program saves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.pipeline import AdaBLDMPipeline
from tests.support.making import hashes_of, index_of, write_manifest
from tests.support.starts import sd_file


@pytest.mark.shared
@pytest.mark.usefixtures("ray_address")
def test_the_authors_checkpoint_and_its_conversion_make_the_same_pairs(
    shared: Path, tmp_path: Path
) -> None:
    from jobs.verbs import generate

    checkpoint = sd_file(shared / "reference/a", tmp_path / "authors", "model.ckpt", control=True)
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
            judge=False,
        )
    assert [row["status"] for row in index_of(tmp_path / "a")] == ["ok", "ok"]
    assert hashes_of(tmp_path / "a") == hashes_of(tmp_path / "b")
