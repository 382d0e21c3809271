"""``adabldm generate`` with a base and its branches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adabldm.branches.card import CARD, WEIGHTS
from cluster.models.kinds import inspect_model
from jobs import cli
from tests.support.branches import write_branch
from tests.support.making import Row, hashes_of, index_of, write_manifest
from tests.support.tiny import tiny_pipeline

Run = Callable[..., tuple[int, list[str]]]
PLANNED: list[str | None] = ["metal/crack", None, "tile", "metal/crack", None, "tile"]


def say(models: list[str | None]) -> Callable[[list[Row]], None]:
    """Let rows say their models."""

    def change(rows: list[Row]) -> None:
        for row, model in zip(rows, models, strict=False):
            row["model"] = model

    return change


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, ``base``, and in ``trained`` its branches ``metal/crack`` and ``tile``."""
    folder, pipeline = tmp_path_factory.mktemp("models"), tiny_pipeline()
    pipeline.save_pretrained(folder / "base")
    base = inspect_model(str(folder / "base")).fingerprint
    write_branch(folder / "trained/metal/crack", pipeline, 1, base_fingerprint=base)
    write_branch(folder / "trained/tile", pipeline, 2, rank=4, base_fingerprint=base)
    return folder


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``adabldm generate`` on CPU; returns its exit code and its error lines."""

    def run(manifest: Path, output: Path, model: str, *more: str) -> tuple[int, list[str]]:
        words = ["--manifest", str(manifest), "--output", str(output), "--model", model]
        few = ["--gpus-per-worker", "0", "--steps", "4", "--adaptation-steps", "1", "--no-judge"]
        monkeypatch.setattr("sys.argv", ["adabldm", "generate", *words, *few, *more])
        # On a busy machine a job may take long enough to tell how far it is.
        monkeypatch.setattr("jobs.progress.LINE_SECONDS", 3600.0)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        lines = capsys.readouterr().err.splitlines()
        faults = [line for line in lines if not line.startswith("warning: ")]
        return int(ended.value.code or 0), faults

    return run


def branches_of(models: Path) -> list[str]:
    return ["--branches", str(models / "trained")]


@pytest.mark.usefixtures("ray_address")
def test_each_row_is_made_by_the_branch_it_says_and_the_index_says_which(
    models: Path, generate: Run, tmp_path: Path
) -> None:
    """The same by alias and by URI, in another batch."""
    base = str(models / "base")
    manifest = write_manifest(tmp_path / "in", change=say(PLANNED))
    assert generate(manifest, tmp_path / "out", base, *branches_of(models)) == (0, [])
    rows = index_of(tmp_path / "out")
    assert [row["model"] for row in rows] == [model or base for model in PLANNED]
    prints = {(row["model"], row["model_fingerprint"]) for row in rows}
    assert len(prints) == len({of for _, of in prints}) == 3
    assert (base, inspect_model(base).fingerprint) in prints
    assert sum("swap" in dict(row["seconds"]) for row in rows) >= 3
    held = json.loads((tmp_path / "out/run.json").read_text())
    assert held["model_fingerprint"] == inspect_model(base).fingerprint

    renamed = {"metal/crack": str(models / "trained/metal/crack"), "tile": "other/name", None: None}
    manifest = write_manifest(tmp_path / "in", change=say([renamed[one] for one in PLANNED]))
    more = ("--branch", f"other/name={models}/trained/tile", "--allow-root", str(models))
    assert generate(manifest, tmp_path / "b", base, *more, "--batch-size", "1") == (0, [])
    assert hashes_of(tmp_path / "b") == hashes_of(tmp_path / "out")
    assert [row["model_fingerprint"] for row in index_of(tmp_path / "b")] == [
        row["model_fingerprint"] for row in rows
    ]


@pytest.mark.usefixtures("ray_address")
def test_a_branch_that_changed_is_refused_to_a_resume_and_a_moved_one_is_not(
    models: Path, generate: Run, tmp_path: Path
) -> None:
    model = "sleep://0"
    base = inspect_model(model).fingerprint
    trained, pipeline = tmp_path / "trained", tiny_pipeline()
    for seed, name in enumerate(("metal/crack", "tile", "unused")):
        write_branch(trained / name, pipeline, seed, base_fingerprint=base)
    manifest = write_manifest(tmp_path / "in", change=say(PLANNED))
    asked = (manifest, tmp_path / "out", model, "--branches", str(trained))
    assert generate(*asked) == (0, [])
    before = sorted((tmp_path / "out").rglob("*"))

    write_branch(trained / "tile", pipeline, 7, base_fingerprint=base)
    code, lines = generate(*asked)
    assert (code, len(lines)) == (2, 2)
    for line, number in zip(lines, (2, 5), strict=True):
        assert line.startswith(f"row {number} (request_id 'r000{number}'): model: 'sha256 ")
        assert "the output holds this request made with sha256" in line
    assert sorted((tmp_path / "out").rglob("*")) == before

    write_branch(trained / "tile", pipeline, 1, base_fingerprint=base)
    trained.rename(tmp_path / "moved")
    assert generate(*asked[:-1], str(tmp_path / "moved")) == (0, [])


def other_base(models: Path, folder: Path) -> None:
    write_branch(folder, tiny_pipeline(), 1)


def other_size(models: Path, folder: Path) -> None:
    base = inspect_model(str(models / "base")).fingerprint
    write_branch(folder, tiny_pipeline(), 1, image_size=512, base_fingerprint=base)


def spoiled(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    def spoil(models: Path, folder: Path) -> None:
        base = inspect_model(str(models / "base")).fingerprint
        write_branch(folder, tiny_pipeline(), 1, base_fingerprint=base)
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return spoil


def nothing(models: Path, folder: Path) -> None:
    folder.mkdir()


BAD_BRANCHES: list[tuple[Any, str]] = [
    (other_base, "base_fingerprint: 'abababababab': was trained on another base than --model '"),
    (other_size, "image_size: 512: --model '"),
    (spoiled(WEIGHTS, lambda data: data[:-1]), "weights.safetensors: '"),
    (spoiled(WEIGHTS, lambda data: data[:-1] + b"x"), "weights_sha256: '"),
    (spoiled(CARD, lambda data: data[:-9]), "branch.json: "),
    (nothing, "folder: '"),
]


@pytest.mark.parametrize(("make", "told"), BAD_BRANCHES, ids=[told for _, told in BAD_BRANCHES])
def test_a_branch_that_cannot_serve_is_refused_and_nothing_is_written(
    make: Callable[[Path, Path], None], told: str, models: Path, generate: Run, tmp_path: Path
) -> None:
    make(models, tmp_path / "bad")
    manifest = write_manifest(tmp_path / "in", change=say([None, "odd"]))
    more = ("--branch", f"odd={tmp_path}/bad")
    code, lines = generate(manifest, tmp_path / "out", str(models / "base"), *more)
    assert (code, len(lines)) == (2, 1)
    assert "'odd'" in lines[0]
    assert told in lines[0]
    assert not (tmp_path / "out").exists()


def test_the_fault_of_a_foreign_branch_names_both_fingerprints(
    models: Path, generate: Run, tmp_path: Path
) -> None:
    base = str(models / "base")
    other_base(models, tmp_path / "bad")
    manifest = write_manifest(tmp_path / "in", change=say([str(tmp_path / "bad")]))
    code, lines = generate(manifest, tmp_path / "out", base, "--allow-root", str(tmp_path))
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith(f"row 0 (request_id 'r0000'): model: '{tmp_path}/bad': base_finger")
    assert f"{base!r} ({inspect_model(base).fingerprint[:12]})" in lines[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--branch", "crack"], "--branch: 'crack': must be ALIAS=URI"),
        (["--branch", "=x"], "--branch: '': an alias is one or more names between slashes"),
        (["--branch", "a/../b=x"], "--branch: 'a/../b': an alias is one or more names"),
        (["--branch", "/a=x"], "--branch: '/a': an alias is one or more names"),
        (["--branch", "embedded=x"], "--branch: 'embedded': embedded is the model in the package"),
        (["--branch", "a=x", "--branch", "a=y"], "--branch: 'a': is the alias of "),
        (["--branch", "a=nowhere://x"], "--branch: 'nowhere://x': nowhere:// cannot be used"),
        (["--branches", "{none}"], "no folder below it holds a branch.json"),
        (["--branch", "tile=x", "--branches", "{trained}"], "'tile': is the alias of "),
    ],
)
def test_aliases_of_no_sense_are_refused(
    words: list[str], told: str, models: Path, generate: Run, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in")
    filled = [word.format(none=tmp_path, trained=models / "trained") for word in words]
    code, lines = generate(manifest, tmp_path / "out", str(models / "base"), *filled)
    assert (code, len(lines)) == (2, 1)
    assert told in lines[0]
    assert not (tmp_path / "out").exists()


def test_an_unknown_alias_is_refused_and_the_known_ones_named(
    models: Path, generate: Run, tmp_path: Path
) -> None:
    manifest = write_manifest(tmp_path / "in", change=say(["metal/crak"]))
    code, lines = generate(manifest, tmp_path / "out", str(models / "base"), *branches_of(models))
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith("row 0 (request_id 'r0000'): model: 'metal/crak': is no file or fo")
    assert "(these: metal/crack, tile)" in lines[0]
