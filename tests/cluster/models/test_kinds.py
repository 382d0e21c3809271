"""Models by their URIs: each is looked at once, and what differs between kinds is in one place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from adabldm.sampling.options import ExactOptions
from cluster.generate.checked import checked
from cluster.generate.pool import Pool
from cluster.generate.spec import GenerationSpec
from cluster.models.kinds import PIPELINE, Backend, inspect_model, kind_of
from cluster.storage.location import Location
from tests.support.making import Row, write_manifest
from tests.support.tiny import tiny_pipeline


class CountedFileSystem(MemoryFileSystem):
    """Memory that counts which files are opened."""

    protocol = "counted"
    opened: ClassVar[Counter[str]] = Counter()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("counted://"))

    def _open(self, path: str, *args: Any, **named: Any) -> Any:
        if (args or [named.get("mode")])[0] == "rb":
            self.opened[path] += 1
        return super()._open(path, *args, **named)


@pytest.fixture
def counted(tmp_path: Path) -> Location:
    """A folder of two models, ``base`` and ``other``."""
    fsspec.register_implementation("counted", CountedFileSystem, clobber=True)
    root = Location.of("counted:///models")
    for name, size in (("base", 16), ("other", 32)):
        pipeline = tiny_pipeline()
        pipeline.register_to_config(image_size=size)
        pipeline.save_pretrained(tmp_path / name)
        for path in (tmp_path / name).rglob("*"):
            if path.is_file():
                root.join(f"{name}/{path.relative_to(tmp_path / name)}").write(path.read_bytes())
    CountedFileSystem.opened.clear()
    return root


def test_each_model_of_a_job_is_looked_at_once(counted: Location, tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        for row in rows[::2]:
            row["model"] = counted.join("other").uri
        rows[1]["model"] = f"{counted.uri}/./other"
        rows[3]["model"] = f"{counted.uri}/./base"

    job = GenerationSpec(
        manifest=str(write_manifest(tmp_path / "in", 12, change)),
        model=counted.join("base").uri,
        output=str(tmp_path / "out"),
        pool=Pool(least=1, most=1, gpus=0, batch_size=4),
        options=ExactOptions(),
        allowed_roots=[counted.uri],
    )
    with checked(job) as found:
        assert found.roster.count() == 12
    opened = CountedFileSystem.opened
    for model in ("base", "other"):
        weights = f"/models/{model}/unet/diffusion_pytorch_model.safetensors"
        assert opened[weights] == 2  # the header, and the whole for its SHA-256
        assert opened[f"/models/{model}/model_index.json"] == 2  # the content, and its SHA-256


def test_a_models_facts_are_known_without_loading_it(counted: Location) -> None:
    base, other = (inspect_model(counted.join(name).uri) for name in ("base", "other"))
    assert (base.image_size, other.image_size) == (16, 32)
    assert base.has_control_branch
    assert base.fingerprint != other.fingerprint
    assert inspect_model("embedded").image_size == 128


def test_a_scheme_names_its_kind_and_all_others_are_pipelines() -> None:
    sleeping = kind_of("sleep://5")
    assert not sleeping.has_files
    for uri in ("embedded", "model", "sleep", "s3://bucket/sleep", "file:///model", "odd://x"):
        assert kind_of(uri) is PIPELINE
    facts = inspect_model("sleep://5?version=2")
    assert facts.has_control_branch
    assert facts.image_size is None
    assert facts.fingerprint == inspect_model("sleep://7?version=2&raise=x").fingerprint
    assert facts.fingerprint != inspect_model("sleep://5").fingerprint


def test_a_pipeline_that_only_sleeps_is_not_loaded_for_its_arithmetic() -> None:
    def refuse() -> Backend:
        raise AssertionError("it was loaded")

    assert kind_of("sleep://5").gflop(refuse, ExactOptions()) == {}
