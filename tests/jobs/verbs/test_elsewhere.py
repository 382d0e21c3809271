"""Verbs typed in one folder on a Ray that was started in another: what is said to be is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.drawn_folder import metal_folder

pytestmark = pytest.mark.slow

Say = Callable[..., list[str]]


@pytest.fixture
def say(tmp_path: Path, ray_address: str) -> Say:
    """Run a verb in ``tmp_path/here``; the places that it names in what it says, each looked at."""
    (tmp_path / "here").mkdir()

    def run(*words: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "jobs.cli", *words],
            cwd=tmp_path / "here",
            env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray_address},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        named = re.findall(rf"{re.escape(str(tmp_path))}[\w./]*", done.stdout)
        assert named, done.stdout
        assert all(Path(name).exists() for name in named), named
        return named

    return run


def test_relative_places_are_those_of_the_folder_in_which_they_were_typed(
    say: Say, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    metal_folder(tmp_path)
    say("prepare", "../metal", "--output", "prepared")
    say("pairs", "prepared", "--count", "2", "--write", "pairs")
    say("plan", "./prepared", "--count", "6", "--seed", "1", "--output", "plan")
    say("trimaps", "plan", "--png", "seen/trimaps.png")
    shutil.move(here / "plan", here / "copied")
    made = ["--model", "sleep://0", "--gpus-per-worker", "0", "--keep", "source,trimap"]
    say("generate", "--manifest", "copied", *made, "--output", "out/of/it")
    say("verify", "out/of/it")
    say("sheet", "out/of/it", "--png", "seen/sheet.png")
    assert sorted(os.listdir(here)) == ["copied", "out", "pairs", "prepared", "seen"]
    assert sorted(os.listdir(here / "seen")) == ["sheet.png", "trimaps.png"]
    assert len(list((here / "out/of/it").glob("*/test/*/*.png"))) == 6


def test_a_training_leaves_its_result_where_it_was_asked_for(say: Say, tmp_path: Path) -> None:
    metal_folder(tmp_path)
    small = ("--steps", "1", "--batch-size", "1", "--gpus-per-worker", "0", "--pairs", "4")
    _, place = say("train", "../metal", *small, "--output", "branches/one")
    assert place == f"{tmp_path}/here/branches/one"
    assert os.listdir(tmp_path / "here") == ["branches"]
