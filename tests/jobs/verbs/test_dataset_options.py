"""Every verb that opens a data set opens it alike: one split, one object mask a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from adabldm.branches.card import CARD
from adabldm.core.faults import InputFault
from adabldm.core.images import encode_png
from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import read_bytes, read_picture
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.foreground.predictor import PICTURES
from adabldm.planning.object_pictures import ObjectPictures
from cluster.train.spec import TrainingSpec
from jobs.cli import app
from tests.support.drawn_folder import disc_folder, metal_folder
from tests.support.drawn_scenes import draw_scene
from tests.support.making import rows_with_whole_paths

pytestmark = pytest.mark.slow

VERBS = ("prepare", "plan", "pairs", "train")
OPTIONS = (
    "--layout", "--shots", "--split-seed", "--split", "--groups", "--captions", "--surface",
    "--backbone", "--object-masks",
)  # fmt: skip
SPLIT = ("--shots", "1", "--split-seed", "2")


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module", params=[disc_folder, metal_folder], ids=["object", "texture"])
def sets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """A raw data set with more good pictures than are learned from, and the same one prepared."""
    root = tmp_path_factory.mktemp("sets")
    draw: Callable[..., ObjectFolder] = request.param
    raw = root / draw(root, goods=PICTURES + 14).name
    run("prepare", raw, "--output", root / "prepared", *SPLIT)
    (prepared,) = open_dataset(str(root / "prepared"))
    return SimpleNamespace(raw=raw, prepared=prepared, folder=root / "prepared")


def split_of(folder: ObjectFolder) -> tuple[object, ...]:
    return folder.good, folder.test_good, folder.defects, folder.held_out


def test_a_plan_has_the_split_and_the_object_masks_of_prepare(
    sets: SimpleNamespace, tmp_path: Path
) -> None:
    run("plan", sets.raw, "--count", 60, "--output", tmp_path, *SPLIT)
    rows = rows_with_whole_paths(str(tmp_path / "manifest.parquet"))
    good_of = {read_bytes(uri): uri for uri in sets.prepared.good}
    masks = {read_bytes(row["placement"]["mask"]["path"]) for row in rows}
    assert masks == {read_bytes(item.mask) for item in sets.prepared.defects}
    for row in rows:
        uri = good_of[read_bytes(row["image"]["path"])]
        outline = row["placement"]["foreground"]
        if sets.prepared.surface == "texture":
            assert outline is None
        else:
            np.testing.assert_array_equal(
                read_picture(outline["path"], "L"),
                read_picture(sets.prepared.foreground[uri], "L"),
            )


def test_training_has_the_split_and_the_object_masks_of_prepare(
    sets: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[TrainingSpec] = []

    def train(job: TrainingSpec, progress: object) -> None:
        asked.append(job)
        job.result.join(CARD).write(b"{}")

    monkeypatch.setattr("cluster.train.launch.train", train)
    run("train", sets.raw, "--output", tmp_path, *SPLIT)
    (folder,) = asked[0].objects
    assert split_of(folder) == split_of(sets.prepared)
    raw, prepared = ObjectPictures(folder, 64), ObjectPictures(sets.prepared, 64)
    assert raw.is_texture == prepared.is_texture == (sets.prepared.surface == "texture")
    for uri in folder.good:
        np.testing.assert_array_equal(raw.inside(uri), prepared.inside(uri))


def test_pairs_of_the_raw_and_of_the_prepared_data_set_are_the_same(
    sets: SimpleNamespace, tmp_path: Path
) -> None:
    run("pairs", sets.raw, "--count", 6, "--size", 64, "--write", tmp_path / "raw", *SPLIT)
    run("pairs", sets.folder, "--count", 6, "--size", 64, "--write", tmp_path / "prepared")
    names = sorted(path.name for path in (tmp_path / "raw").iterdir())
    assert len(names) == 13
    for name in names:
        one, other = ((tmp_path / kind / name).read_bytes() for kind in ("raw", "prepared"))
        assert one == other, name


def test_a_texture_that_is_said_goes_before_the_object_that_is_seen(tmp_path: Path) -> None:
    raw = tmp_path / disc_folder(tmp_path).name
    run("prepare", raw, "--output", tmp_path / "prepared", "--surface", "texture")
    for uri in (str(raw), str(tmp_path / "prepared")):
        (folder,) = open_dataset(uri, DatasetOptions(surface="texture"))
        assert folder.surface == "texture"
        assert ObjectPictures(folder, 32).inside(folder.good[0]).all()


def doubtful_plates(root: Path) -> Path:
    """Flat plates that the border cuts on a flat ground."""
    drawn = draw_scene("flat plate", 4)
    for number, (picture, truth) in enumerate(drawn):
        mask = np.zeros(truth.shape, np.uint8)
        mask[90:100, 20:40] = 255
        dented = np.where(mask[..., None] > 0, np.uint8(20), picture)
        for path, pixels in (
            (f"plate/train/good/{number}.png", picture),
            (f"masks/{number}_mask.png", np.uint8(truth) * 255),
            (f"plate/test/dent/{number}.png", dented),
            (f"plate/ground_truth/dent/{number}_mask.png", mask),
        ):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(encode_png(pixels))
    return root / "plate"


DOORS = {
    "prepare": ("--output",),
    "plan": ("--count", 4, "--output"),
    "pairs": ("--count", 2, "--size", 64, "--write"),
    "train": ("--output",),
}


@pytest.mark.parametrize("verb", DOORS)
def test_no_door_guesses_where_a_doubtful_object_is(verb: str, tmp_path: Path) -> None:
    raw = doubtful_plates(tmp_path)
    named = r"plate: two things are seen.*plate/train/good/0.png.*--surface texture.*--object-masks"
    with pytest.raises(InputFault, match=named):
        run(verb, raw, *DOORS[verb], tmp_path / "out")


def test_own_object_masks_are_used_at_every_door(tmp_path: Path) -> None:
    raw, masks = doubtful_plates(tmp_path), tmp_path / "masks"
    run("prepare", raw, "--output", tmp_path / "prepared", "--object-masks", masks)
    (prepared,) = open_dataset(str(tmp_path / "prepared"))
    assert prepared.surface == "object"
    run("plan", raw, "--count", 6, "--output", tmp_path / "plan", "--object-masks", masks)
    outlines = [
        row["placement"]["foreground"]["path"]
        for row in rows_with_whole_paths(str(tmp_path / "plan/manifest.parquet"))
    ]
    (raw_folder,) = open_dataset(str(raw), DatasetOptions(object_masks=str(masks)))
    seen = ObjectPictures(raw_folder, 192)
    drawn = {read_picture(str(path), "L").tobytes() for path in masks.iterdir()}
    for found in (
        *(read_picture(uri, "L") for uri in prepared.foreground.values()),
        *(read_picture(uri, "L") for uri in outlines),
        *(seen.inside(uri) for uri in raw_folder.good),
    ):
        assert found.tobytes() in drawn


def test_a_good_picture_without_an_object_mask_is_named(tmp_path: Path) -> None:
    raw, masks = doubtful_plates(tmp_path), tmp_path / "masks"
    (masks / "2_mask.png").unlink()
    told = run("prepare", raw, "--output", tmp_path / "prepared", "--object-masks", masks)
    assert "train/good/2.png: has no object mask in" in told
    assert len(open_dataset(str(tmp_path / "prepared"))[0].good) == 3
    with pytest.raises(InputFault, match=r"no object mask of 1 good pictures of plate .*2\.png"):
        run("plan", raw, "--count", 2, "--output", tmp_path, "--object-masks", masks)


@pytest.mark.parametrize("verb", ["prepare", "plan", "pairs"])
def test_an_object_mask_of_another_size_is_refused(verb: str, tmp_path: Path) -> None:
    raw, masks = doubtful_plates(tmp_path), tmp_path / "masks"
    for path in masks.iterdir():
        path.write_bytes(encode_png(np.full((64, 96), 255, np.uint8)))
    with pytest.raises(InputFault, match=r"_mask.png: is 96 x 64, its picture .* 192 x 192"):
        run(verb, raw, *DOORS[verb], tmp_path / "out", "--object-masks", masks)


@pytest.mark.parametrize("verb", ["plan", "pairs"])
def test_a_good_picture_without_an_object_is_left_out_and_named(verb: str, tmp_path: Path) -> None:
    raw = tmp_path / disc_folder(tmp_path).name
    blank = sorted((raw / "train" / "good").iterdir())[-1]
    blank.write_bytes(encode_png(np.full((192, 192, 3), 30, np.uint8)))
    said = "no object is found in"
    assert f"{blank.name}: {said}" in run("prepare", raw, "--output", tmp_path / "prepared")
    words = [str(word) for word in DOORS[verb]]
    words[1] = "30"
    result = CliRunner().invoke(app, [verb, str(raw), *words, str(tmp_path / "out")])
    assert f"1 good pictures left out, {said}: file://{blank}" in result.stderr, result.output


def test_each_verb_shows_the_same_options_of_a_data_set() -> None:
    told = {verb: run(verb, "--help") for verb in VERBS}

    def line(verb: str, option: str) -> str:
        """What help says about an option, without the columns' widths and the older name."""
        rows = (row.strip("│ ").replace(",--seed", "") for row in told[verb].splitlines())
        return next(" ".join(row.split()) for row in rows if row.startswith(f"{option} "))

    for option in OPTIONS:
        assert len({line(verb, option) for verb in VERBS}) == 1, option


def test_prepare_takes_the_seed_of_the_split_by_its_older_name(tmp_path: Path) -> None:
    raw = tmp_path / disc_folder(tmp_path).name
    for name, option in (("one", "--seed"), ("two", "--split-seed")):
        words = ("--shots", 1, option, 5, "--no-foreground")
        run("prepare", raw, "--output", tmp_path / name, *words)
    one, two = ((tmp_path / name / "split.json").read_bytes() for name in ("one", "two"))
    assert one == two
    assert b'"seed": 5' in one
