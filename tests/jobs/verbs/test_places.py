"""Places that a user types, over all verbs: absolute from where they are typed, looked at first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from adabldm.core.faults import InputFault, JobFault
from cluster.storage.location import Location
from jobs import cli
from jobs.verbs import places
from jobs.verbs.submit import VERBS, with_absolute_places

NOBODY = 65_534
DATASET = {"dataset_uri", "split_file", "groups", "captions", "backbone", "object_masks"}
PLACES = {
    "demo": {"output"},
    "prepare": {*DATASET, "output"},
    "pairs": {*DATASET, "write", "prompts"},
    "train": {*DATASET, "output", "base", "prompts"},
    "plan": {*DATASET, "output", "regions", "prompts", "top_up", "where_sheet"},
    "trimaps": {"manifest", "png", "allow_root"},
    "generate": {"manifest", "model", "output", "branch", "branches", "allow_root"},
    "verify": {"output"},
    "evaluate": {"dataset_uri", "scores", "json_file", "backbone", "output", "pairs"},
    "export": {"output", "target", "good"},
    "sheet": {"output", "png"},
    "report": {"output", "target", "evaluation"},
    "parity": {"recording"},
    "status": {"output"},
    "submit": {"spec"},
}
NO_PLACES = {
    "accumulate", "adaptation_steps", "address", "again", "arms", "as_json", "batch_size",
    "candidates", "caption_prompts", "count", "decoder_half", "defect", "defect_weight",
    "defects_per_image", "detail", "detector", "dry_run", "each", "ema", "foreground",
    "format_name", "from_scratch", "gpus_per_task", "gpus_per_worker", "guidance", "judge", "keep",
    "layout", "learning_rate", "limit", "link", "log_json", "logs", "look_every", "looks", "mask",
    "mask_rule", "masks", "max_cost", "max_hours", "min_snr", "mode", "object_name", "pairs",
    "pairs_counts", "price", "prompt_drop", "rank", "rate", "rejected", "resolution", "retries",
    "retry_failed",
    "sample", "save_every", "seam", "seed", "seeds", "shards", "shots", "size", "split_seed",
    "steps", "stop", "strength", "strict", "surface", "thumbnails", "time_limit", "wait", "watch",
    "where", "width", "window", "words", "workers",
}  # fmt: skip
"""Options that are none, so that a new option is one or the other."""
LOCAL = ("png", "recording", "where_sheet", "spec")
TEMPLATES = {("plan", "model")}

COMMANDS = {command.name: command.callback for command in cli.app.registered_commands}


def params(verb: str) -> list[Any]:
    return [one for one in places.command_of(COMMANDS[verb]).params if one.name != "help"]


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_every_option_that_takes_a_place_is_one(verb: str) -> None:
    assert {one.name for one in params(verb) if places.is_place(one)} == PLACES[verb]
    others = {one.name for one in params(verb) if (verb, one.name) not in TEMPLATES}
    assert others - PLACES[verb] <= NO_PLACES


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_what_is_typed_for_a_place_is_absolute(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command line makes it: relative, with ~, with .., a list, an alias, and a URI."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of/mine")
    (tmp_path / "x").mkdir()
    for one in params(verb):
        if not places.is_place(one):
            continue
        alias = "a=" if one.name == "branch" else ""
        local = one.name in LOCAL or verb == "demo"
        typed = {
            "x": f"{tmp_path}/x",
            "./x": f"{tmp_path}/x",
            "../y": f"{tmp_path.parent}/y",
            "~/z": "/home/of/mine/z",
            "/w": "/w",
        }
        if not local:
            typed |= {"s3://bucket/x": "s3://bucket/x"}
        for text, meant in typed.items():
            given: Any = Path(text) if local else f"{alias}{text}"
            given = [given] if one.multiple else given
            made = one.callback(None, one, given)
            found = made[0] if one.multiple else made
            assert str(found) == f"{alias}{meant}", (one.name, text)


def test_a_name_on_a_hub_and_the_model_in_the_package_stay_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    by_name = {one.name: one for one in [*params("train"), *params("generate")]}
    assert places.typed(by_name["backbone"], "facebook/dinov2") == "facebook/dinov2"
    (tmp_path / "facebook/dinov2").mkdir(parents=True)
    assert places.typed(by_name["backbone"], "facebook/dinov2") == f"{tmp_path}/facebook/dinov2"
    assert places.typed(by_name["base"], "embedded") == "embedded"
    assert places.typed(by_name["model"], "sleep://0") == "sleep://0"


def test_above_a_link_is_above_where_it_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/away")
    monkeypatch.chdir(tmp_path)
    assert places.absolute("link/../x") == f"{tmp_path}/far/x"
    assert places.absolute("link/x") == f"{tmp_path}/link/x"
    assert places.absolute("link/..") == f"{tmp_path}/far"


@pytest.mark.parametrize("verb", ["prepare", "plan", "train", "verify", "generate"])
def test_http_is_refused_by_name_but_for_pictures(verb: str) -> None:
    for one in params(verb):
        if places.is_place(one) and one.name not in ("allow_root", "backbone", *LOCAL):
            alias = "a=" if one.name == "branch" else ""
            with pytest.raises(InputFault, match=r"http and https are read for a manifest's"):
                places.typed(one, f"{alias}http://host/x")
    (root,) = [one for one in params("generate") if one.name == "allow_root"]
    assert places.typed(root, "http://host/x") == "http://host/x"


def test_a_submitted_command_means_what_it_means_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "plan", "data", "--count", "3", "--no-caption-prompts", "--regions=r.yaml", "--model",
        "{object}", "--output", "s3://bucket/plan", "--no-such", "x",
    ]  # fmt: skip
    assert with_absolute_places(words) == [
        "plan", f"{tmp_path}/data", "--count", "3", "--no-caption-prompts",
        f"--regions={tmp_path}/r.yaml", "--model", "{object}", "--output", "s3://bucket/plan",
        "--no-such", "x",
    ]  # fmt: skip
    branch = with_absolute_places(["generate", "--dry-run", "--branch", "a/b=c"])
    assert branch == ["generate", "--dry-run", "--branch", f"a/b={tmp_path}/c"]
    assert set(VERBS) <= set(COMMANDS)


def test_what_cannot_be_written_is_said_before_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()

    def refuse(name: str, *, folder: bool = True) -> None:
        places.refuse_unwritable("--output", Location.of(f"{tmp_path}/{name}"), folder=folder)

    with pytest.raises(InputFault, match=r"--output: '.*/file': is a file; it must be a folder"):
        refuse("file")
    with pytest.raises(InputFault, match="is a folder; it must be a file"):
        refuse("folder", folder=False)
    with pytest.raises(InputFault, match="/file is a file, nothing can be below it"):
        refuse("file/x/y")
    for name in ("folder", "new/newer"):
        refuse(name)
    refuse("file", folder=False)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_folder_that_may_not_be_written_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    temporary = next(one for one in tmp_path.parents if one.name.startswith("pytest-of"))
    place = Location.of(f"{tmp_path}/locked/out/deep")
    for folder in (tmp_path, *(one for one in tmp_path.parents if one.is_relative_to(temporary))):
        folder.chmod(0o755)
    root = os.geteuid() == 0  # whom no mode binds
    if root:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(InputFault, match="/locked cannot be written to"):
            places.refuse_unwritable("--output", place)
    finally:
        if root:
            os.seteuid(0)


def test_what_is_not_there_is_not_said_to_be(tmp_path: Path) -> None:
    place = Location.of(str(tmp_path / "x"))
    with pytest.raises(JobFault, match="was written, but nothing is there now"):
        places.written(place)
    (tmp_path / "x").touch()
    assert places.written(place) == f"{tmp_path}/x"


def test_what_is_missing_is_named_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputFault, match=rf"there is no such folder \({tmp_path} is there\)"):
        places.refuse_missing("DATASET", f"{tmp_path}/scew/train")
    (tmp_path / "set.tar").touch()
    with pytest.raises(InputFault, match="is a file; it must be a folder"):
        places.refuse_missing("DATASET", f"{tmp_path}/set.tar")
