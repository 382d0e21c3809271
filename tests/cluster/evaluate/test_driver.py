"""A comparison keeps what is done, goes on where it stopped, and leaves failed arms alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from adabldm.core.faults import InputFault, JobFault
from adabldm.core.progress import Progress, untold
from adabldm.evaluation import detectors
from adabldm.evaluation.detectors import DetectorOptions
from adabldm.evaluation.detectors.protocol import Windows
from adabldm.evaluation.training_windows import TrainingWindows
from cluster.evaluate import driver
from cluster.evaluate.spec import ComparisonSpec
from cluster.storage.location import Location
from tests.support.comparisons import make_pairs, prepared_set

STEPS = 3
OPTIONS = DetectorOptions(steps=STEPS, window=32, batch=2, width=1)


def at_ease(number: int) -> None:
    """Nothing happens before the training of that number."""


class Bright:
    """A detector that needs no training: what is bright is defective. It keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []
        self.before: Callable[[int], None] = at_ease

    def __call__(self, name: str, options: DetectorOptions) -> Bright:
        del name, options
        return self

    def train(self, windows: Windows, *, seed: int, device: str, progress: Progress) -> Bright:
        del seed, device
        assert isinstance(windows, TrainingWindows)
        self.before(len(self.seen))
        self.seen.append({str(one.key) for group in windows._groups for t in group for one in t})
        for step in range(STEPS):
            windows.mixed(step)
            progress(step + 1, STEPS)
        return self

    def score(self, picture: np.ndarray) -> np.ndarray:
        return picture[..., 0].astype(np.float32)


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bright]:
    made = Bright()
    monkeypatch.setattr(detectors, "open_detector", made)
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``prepared`` and ``pairs``."""
    root = tmp_path_factory.mktemp("data")
    prepared_set(root)
    make_pairs(root / "pairs", sorted((root / "data/plate/train/good").iterdir()))
    return root


def spec(data: Path, output: Path, *arms: str, **how: Any) -> ComparisonSpec:
    known: dict[str, Any] = {"detector": "unet", "options": OPTIONS, "seeds": 1, **how}
    return ComparisonSpec(
        dataset=str(data / "prepared"),
        pairs=str(data / "pairs"),
        output=Location.of(str(output)),
        arms=arms,
        **known,
    )


def content(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "evaluation.json").read_text())
    return found


def trials(output: Path) -> list[str]:
    return sorted(path.stem for path in (output / "trials").glob("*.json"))


ALL = ("few", "cutpaste", "perlin", "poisson", "ours", "ours+cutpaste", "ours-only")


def test_every_arm_is_trained_and_told_in_three_files(
    bright: Bright, data: Path, tmp_path: Path
) -> None:
    done = driver.run(spec(data, tmp_path, *ALL, seeds=2), untold)
    assert (done.trials, done.before, list(done.failed)) == (14, 0, [])
    found = content(tmp_path)
    assert {(one["arm"], one["seed"]) for one in found["arms"]} == {
        (arm, seed) for arm in ALL for seed in (0, 1)
    }
    for one in found["arms"]:
        assert one["figures"]["pixel_ap"] > 0.9  # bright defects, a detector of what is bright
        assert set(one["by_type"]) == {"crack", "hole"}
        assert one["pictures"] == (0 if one["arm"] == "few" else 6)
        assert one["shots"] == (0 if one["arm"] == "ours-only" else 2)
    rows = pq.read_table(tmp_path / "evaluation.parquet").to_pylist()
    assert rows == found["table"]
    assert {row["type"] for row in rows} == {"all", "mean of types", "crack", "hole"}
    assert (tmp_path / "evaluation.md").read_text() == done.text
    assert "| ours+cutpaste | 6 | 2 |" in done.text


def test_an_interrupted_run_goes_on_and_does_nothing_twice(
    bright: Bright, data: Path, tmp_path: Path
) -> None:
    def interrupt(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    bright.before = interrupt
    asked = spec(data, tmp_path, "few", "ours", "cutpaste")
    with pytest.raises(KeyboardInterrupt):
        driver.run(asked, untold)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "trials").iterdir()}
    assert trials(tmp_path) == ["unet-few-seed0", "unet-ours-seed0"]
    bright.before = at_ease
    told: list[tuple[int, int]] = []
    done = driver.run(asked, lambda *at: told.append(at))
    assert (done.trials, done.before) == (3, 2)
    assert len(bright.seen) == 3
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items())
    assert told[0][0] == told[0][1] * 2 // 3
    assert told[-1][0] == told[-1][1]
    driver.run(asked, untold)
    assert len(bright.seen) == 3


def test_an_arm_that_fails_leaves_the_others_alone_and_is_tried_again(
    bright: Bright, data: Path, tmp_path: Path
) -> None:
    def fail(number: int) -> None:
        if not failing:
            return
        failing.pop()
        raise RuntimeError("the card\nfell off the bus")

    failing, bright.before = [1], fail
    asked = spec(data, tmp_path, "few", "ours")
    done = driver.run(asked, untold)
    (failure,) = done.failed
    assert str(failure) == "few, seed 0: failed: the card fell off the bus"
    assert trials(tmp_path) == ["unet-ours-seed0"]
    (told,) = content(tmp_path)["failed"]
    assert (told["arm"], told["reason"]) == ("few", "the card fell off the bus")
    again = driver.run(asked, untold)
    assert (again.before, list(again.failed), content(tmp_path)["failed"]) == (1, [], [])


def test_if_every_trial_fails_the_reason_is_told(
    bright: Bright, data: Path, tmp_path: Path
) -> None:
    def fail(number: int) -> None:
        raise MemoryError("no room")

    bright.before = fail
    with pytest.raises(JobFault, match="no trial is done: few, seed 0: failed: no room"):
        driver.run(spec(data, tmp_path, "few"), untold)


def test_nothing_that_is_tested_on_is_learned_from(
    bright: Bright, data: Path, tmp_path: Path
) -> None:
    driver.run(spec(data, tmp_path, *ALL), untold)
    split = json.loads((data / "prepared/split.json").read_text())
    (types,) = (item["defects"] for item in split["objects"].values())
    held_out = [path for kind in types.values() for path in kind.get("held_out", [])]
    assert held_out
    seen = " ".join(key for keys in bright.seen for key in keys)
    assert not [path for path in held_out if path in seen]


def test_curves_and_further_arms_are_added_to_what_is_there(
    bright: Bright, data: Path, tmp_path: Path
) -> None:
    driver.run(spec(data, tmp_path, "few", "ours"), untold)
    done = driver.run(
        spec(data, tmp_path, "few", "ours", pair_counts=(0, 2, 6), shots=(1, 2)), untold
    )
    assert (done.trials, done.before) == (5, 2)
    assert trials(tmp_path) == [
        "unet-few-1shots-seed0",
        "unet-few-seed0",
        "unet-ours-1shots-seed0",
        "unet-ours-2pairs-seed0",
        "unet-ours-seed0",
    ]
    found = {(one["arm"], one["pictures"], one["shots"]) for one in content(tmp_path)["arms"]}
    assert found == {("few", 0, 2), ("few", 0, 1), ("ours", 6, 2), ("ours", 2, 2), ("ours", 6, 1)}


def test_a_folder_holds_one_comparison(bright: Bright, data: Path, tmp_path: Path) -> None:
    driver.run(spec(data, tmp_path / "one", "few"), untold)
    longer = replace(OPTIONS, steps=STEPS + 1)
    with pytest.raises(InputFault, match="holds a comparison with steps 3, this one has 4"):
        driver.run(spec(data, tmp_path / "one", "few", options=longer), untold)
    (tmp_path / "two").mkdir()
    (tmp_path / "two/notes.txt").write_text("mine")
    with pytest.raises(InputFault, match=r"holds notes.txt and is no comparison"):
        driver.run(spec(data, tmp_path / "two", "few"), untold)
    assert os.listdir(tmp_path / "two") == ["notes.txt"]


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "an unknown arm": (("few", "magic"), {}, "--arms: 'magic': must be one of few, cutpaste"),
    "an unknown detector": (("few",), {"detector": "yolo"}, "--detector: 'yolo': must be one of"),
    "no arm": ((), {}, "--arms: '': names no arm"),
    "no further real defects": (("all-real",), {}, "'all-real': plate has no further real defect"),
    "more pairs than there are": (("ours",), {"pair_counts": (9,)}, "9: --pairs has 6 accepted"),
    "more shots than there are": (("few",), {"shots": (5,)}, "--shots: 5: .* with 2 real defects"),
    "counts without pairs": (("few",), {"pair_counts": (2,)}, "--pairs-counts: '2': no arm has"),
    "fewer than one": (("few",), {"shots": (0,)}, "--shots: 0: must be at least 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    name: str, bright: Bright, data: Path, tmp_path: Path
) -> None:
    arms, how, told = REFUSED[name]
    with pytest.raises(InputFault, match=told):
        driver.run(spec(data, tmp_path / "out", *arms, **how), untold)
    assert not bright.seen
    assert not (tmp_path / "out").exists()


def test_pairs_that_cannot_be_are_refused(bright: Bright, data: Path, tmp_path: Path) -> None:
    goods = data / "data/plate"
    make_pairs(tmp_path / "none", [goods / "train/good/000.png"], 2,
               statuses={0: "failed", 1: "rejected"})  # fmt: skip
    make_pairs(tmp_path / "leak", [goods / "test/good/000.png"], 2)
    make_pairs(tmp_path / "other", [goods / "train/good/000.png"], 2, item="nut")
    (tmp_path / "strange.png").write_bytes((goods / "test/good/000.png").read_bytes() + b"\0")
    make_pairs(tmp_path / "strange", [tmp_path / "strange.png"], 2)
    make_pairs(tmp_path / "kept", [tmp_path / "strange.png"], 2, keep=True)
    (tmp_path / "empty").mkdir()
    for folder, arm, told in (
        ("empty", "ours", "has no index"),
        ("none", "ours", r"has no accepted pair \(1 failed, 1 rejected\)"),
        ("leak", "ours", "1 of the good pictures of its pairs are tested on: .*test/good/000.png"),
        ("other", "ours", r"has no accepted pair of plate \(its objects are nut\)"),
        ("strange", "perlin", "the good pictures of 2 of 2 pairs of plate are not among"),
    ):
        asked = replace(spec(data, tmp_path / "out", arm), pairs=str(tmp_path / folder))
        with pytest.raises(InputFault, match=told):
            driver.run(asked, untold)
    assert not bright.seen
    asked = replace(spec(data, tmp_path / "out", "perlin"), pairs=str(tmp_path / "kept"))
    assert not driver.run(asked, untold).failed


def test_a_tested_picture_that_is_learned_from_under_another_name_is_found(
    bright: Bright, tmp_path: Path
) -> None:
    prepared_set(tmp_path)
    goods = tmp_path / "data/plate"
    held = goods / "test/good/001.png"
    (goods / "train/good/002.png").write_bytes(held.read_bytes())
    make_pairs(tmp_path / "pairs", [goods / "train/good/000.png"], 2)
    with pytest.raises(
        InputFault, match=r"is the same picture as .*good/001\.png, which is tested on"
    ):
        driver.run(spec(tmp_path, tmp_path / "out", "few"), untold)
    assert not bright.seen


def test_a_data_set_as_it_is_has_nothing_held_out(data: Path, tmp_path: Path) -> None:
    asked = replace(spec(data, tmp_path / "out", "few"), dataset=str(data / "data/plate"))
    with pytest.raises(InputFault, match=r"DATASET: .*: is not prepared: `adabldm prepare` it"):
        driver.run(asked, untold)


def test_trials_run_as_tasks_on_ray_and_are_the_same(
    data: Path, tmp_path: Path, ray_address: str
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    driver.run(spec(data, here, "few", "cutpaste"), untold)
    done = driver.run(spec(data, there, "few", "cutpaste", workers=2), untold)
    assert (done.trials, list(done.failed)) == (2, [])
    assert trials(here) == trials(there)
    assert content(here)["table"] == content(there)["table"]
