"""``adabldm plan``: a manifest that is a function of data set and seed, whole or not there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from skimage.draw import disk

from adabldm.core import images
from adabldm.core.faults import InputFault
from adabldm.data import drawn_metal
from adabldm.data.options import DatasetOptions
from adabldm.placement import transform
from adabldm.planning import prompts
from cluster.manifest.reader import Manifest
from cluster.manifest.schema import SCHEMA
from jobs.verbs.plan import make_plan
from jobs.verbs.plan_options import VarietyOptions
from tests.support.making import rows_with_whole_paths

TEXTURE = DatasetOptions(surface="texture")
ANYWHERE = VarietyOptions(where="anywhere")


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.encode_png(pixels))


def metal(root: Path, *, good: int = 6, size: int = 96) -> Path:
    """A data set of drawn metal; two defect types of two pictures each."""
    for seed in range(good):
        write(root / f"train/good/{seed:03d}.png", drawn_metal.draw_part(seed, size).image)
    for defect in ("crack", "deep_scratch"):
        for seed in range(2):
            part = drawn_metal.draw_part(100 + seed, size, defect.removeprefix("deep_"))
            write(root / f"test/{defect}/{seed:03d}.png", part.image)
            write(root / f"ground_truth/{defect}/{seed:03d}_mask.png", part.mask)
    return root


def disc(root: Path, *, mask_side: int = 6, size: int = 96) -> Path:
    """A data set of bright discs on a dark ground, with one square defect mask."""
    for seed in range(4):
        picture = np.full((size, size, 3), 30, np.uint8)
        picture[disk((40 + 4 * seed, 48), 22)] = (200, 180, 90)
        write(root / f"train/good/{seed}.png", picture)
    mask = np.zeros((size, size), np.uint8)
    mask[2 : 2 + mask_side, 2 : 2 + mask_side] = 255
    write(root / "test/hole/0.png", picture)
    write(root / "ground_truth/hole/0_mask.png", mask)
    return root


def plan_rows(dataset: Path, output: Path, **options: object) -> list[dict]:
    settings: dict = {"count": 12, "seed": 3, **options}
    plan = make_plan(str(dataset), output=str(output), **settings)
    return rows_with_whole_paths(plan.manifest.path)


def read(uri: str, mode: str) -> np.ndarray:
    with fsspec.open(uri) as handle:
        return images.decode(handle.read(), mode)


def without_folder(rows: list[dict], folder: Path) -> str:
    return repr(rows).replace(str(folder), "")


def test_a_plan_is_a_manifest_that_generate_accepts(tmp_path: Path) -> None:
    rows = plan_rows(metal(tmp_path / "brushed_metal"), tmp_path / "out", count=20)
    manifest = Manifest(str(tmp_path / "out" / "manifest.parquet"))
    assert manifest.rows == 20
    assert pq.read_schema(tmp_path / "out/manifest.parquet").equals(SCHEMA)
    assert len({row["request_id"] for row in rows}) == 20
    assert len({row["seed"] for row in rows}) == 20
    for row in rows:
        recipe = row["placement"]
        assert row["trimap"] is None
        assert recipe["foreground"] is None
        assert 0 <= recipe["angle"] <= 360
        for uri in (row["image"]["path"], recipe["mask"]["path"]):
            manifest.resolve(uri)
        height, width = read(row["image"]["path"], "L").shape
        where = transform.Placement(**{k: recipe[k] for k in ("angle", "scale", "top", "left")})
        placed = transform.render(read(recipe["mask"]["path"], "L"), where, height, width)
        assert placed.any()


def test_a_plan_travels_without_its_data_set(tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    rows = plan_rows(tmp_path / "metal", tmp_path / "out")
    shutil.rmtree(tmp_path / "metal")
    for row in rows:
        assert read(row["image"]["path"], "RGB").shape == (96, 96, 3)


def test_a_longer_plan_begins_with_the_shorter_one(tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    short = plan_rows(tmp_path / "metal", tmp_path / "short", count=7)
    long = plan_rows(tmp_path / "metal", tmp_path / "long", count=31)
    assert without_folder(short, tmp_path / "short") == without_folder(long[:7], tmp_path / "long")


def test_the_seed_decides_the_plan(tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    one = plan_rows(tmp_path / "metal", tmp_path / "one.parquet")
    again = plan_rows(tmp_path / "metal", tmp_path / "one.parquet")
    other = plan_rows(tmp_path / "metal", tmp_path / "other.parquet", seed=4)
    assert one == again
    assert not {row["request_id"] for row in one} & {row["request_id"] for row in other}
    assert not {row["seed"] for row in one} & {row["seed"] for row in other}


def test_defect_types_get_equal_shares_over_all_objects(tmp_path: Path) -> None:
    metal(tmp_path / "data/metal")
    disc(tmp_path / "data/coin")
    rows = plan_rows(tmp_path / "data", tmp_path / "out", count=31)
    shares = Counter((row["object"], row["defect"]) for row in rows)
    assert set(shares) == {("metal", "crack"), ("metal", "deep_scratch"), ("coin", "hole")}
    assert max(shares.values()) - min(shares.values()) <= 1


def test_defects_of_an_object_lie_on_it(tmp_path: Path) -> None:
    rows = plan_rows(disc(tmp_path / "coin"), tmp_path / "out", count=30, variety=ANYWHERE)
    for row in rows:
        recipe = row["placement"]
        inside = read(recipe["foreground"]["path"], "L")
        where = transform.Placement(**{k: recipe[k] for k in ("angle", "scale", "top", "left")})
        placed = transform.render(read(recipe["mask"]["path"], "L"), where, *inside.shape)
        assert not placed[inside == 0].any()
        assert 0.1 < (inside > 0).mean() < 0.25


def test_the_surface_can_be_said(tmp_path: Path) -> None:
    disc(tmp_path / "coin")
    rows = plan_rows(tmp_path / "coin", tmp_path / "out", options=TEXTURE)
    assert all(row["placement"]["foreground"] is None for row in rows)


@pytest.mark.parametrize(
    ("noun", "defect", "prompt"),
    [
        ("metal nut", "crack", "a metal nut with a crack"),
        ("apple", "open_seam", "an apple with an open seam"),
    ],
)
def test_prompts_read_as_english(noun: str, defect: str, prompt: str) -> None:
    assert prompts.prompt_for(noun, defect) == prompt


def test_the_noun_and_the_defects_can_be_chosen(tmp_path: Path) -> None:
    metal(tmp_path / "brushed_metal")
    rows = plan_rows(tmp_path / "brushed_metal", tmp_path / "a", defects=["deep_scratch"])
    assert {row["prompt"] for row in rows} == {"a brushed metal with a deep scratch"}
    rows = plan_rows(tmp_path / "brushed_metal", tmp_path / "b", object_name="tile")
    assert {row["prompt"] for row in rows} == {
        "a tile with a crack",
        "a tile with a deep scratch",
    }


def test_each_file_is_copied_once_and_named_by_its_content(tmp_path: Path) -> None:
    metal(tmp_path / "metal", good=3)
    shutil.copy(tmp_path / "metal/train/good/000.png", tmp_path / "metal/train/good/twin.png")
    plan_rows(tmp_path / "metal", tmp_path / "out", count=60)
    copies = list((tmp_path / "out/manifest_files").iterdir())
    assert len(copies) == 3 + 4 + 4
    assert all(len(path.stem) == 16 for path in copies)
    stamps = {path: path.stat().st_mtime_ns for path in copies}
    plan_rows(tmp_path / "metal", tmp_path / "out", count=80)
    assert {path: path.stat().st_mtime_ns for path in copies} == stamps


def test_a_copy_that_was_cut_is_written_again(tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    plan_rows(tmp_path / "metal", tmp_path / "out")
    victim = next((tmp_path / "out/manifest_files").iterdir())
    whole = victim.read_bytes()
    victim.write_bytes(whole[:100])
    plan_rows(tmp_path / "metal", tmp_path / "out")
    assert victim.read_bytes() == whole


def test_a_defect_that_fits_on_no_object_is_counted_and_the_others_are_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disc(tmp_path / "coin", mask_side=66)
    small = np.zeros((96, 96), np.uint8)
    small[5:9, 5:9] = 255
    write(tmp_path / "coin/test/dot/0.png", np.zeros((96, 96, 3), np.uint8))
    write(tmp_path / "coin/ground_truth/dot/0_mask.png", small)
    plan = make_plan(
        str(tmp_path / "coin"), count=6, seed=0, output=str(tmp_path / "out"), variety=ANYWHERE
    )
    assert (plan.rows, plan.unplaced) == (3, 3)
    assert "row 1: coin/hole: no mask of its type fits" in capsys.readouterr().err
    listed = pq.read_table(tmp_path / "out/_manifest_unplaced.parquet").to_pylist()
    assert [row["row"] for row in listed] == [1, 3, 5]
    assert {row["reason"] for row in listed} == {
        "no mask of its type fits where it may lie, on any picture tried"
    }
    assert listed[0]["request_id"] == "coin-hole-s0-00000001"
    assert Manifest(str(tmp_path / "out")).rows == 3


def test_when_nothing_fits_nothing_is_written(tmp_path: Path) -> None:
    disc(tmp_path / "coin", mask_side=66)
    with pytest.raises(InputFault, match="fits on a good picture"):
        plan_rows(tmp_path / "coin", tmp_path / "out", count=2, variety=ANYWHERE)
    assert not (tmp_path / "out/manifest.parquet").exists()


def break_picture(root: Path) -> None:
    for path in (root / "train/good").iterdir():
        path.write_bytes(path.read_bytes()[:60])


def break_mask(root: Path) -> None:
    for path in (root / "ground_truth/crack").iterdir():
        write(path, np.zeros((96, 96), np.uint8))


def lose_masks(root: Path) -> None:
    shutil.rmtree(root / "ground_truth")


def lose_defects(root: Path) -> None:
    shutil.rmtree(root / "test")


def lose_good(root: Path) -> None:
    for path in (root / "train/good").iterdir():
        path.unlink()


def lose_all(root: Path) -> None:
    shutil.rmtree(root)


def misname(root: Path) -> None:
    for part in ("test", "ground_truth"):
        (root / part / "crack").rename(root / part / "crack..")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (break_picture, "train/good/.*broken"),
        (break_mask, "ground_truth/crack/.*marks no pixel"),
        (lose_masks, "its mask .* does not exist"),
        (lose_defects, "folder test/crack does not exist"),
        (lose_good, "has no good picture to plan on"),
        (lose_all, "there is no such folder"),
        (misname, r"must not contain '\.\.'"),
    ],
)
def test_a_data_set_that_cannot_be_used_is_named_and_nothing_is_planned(
    tmp_path: Path, harm, words: str
) -> None:
    root = metal(tmp_path / "metal")
    harm(root)
    with pytest.raises(InputFault, match=words):
        plan_rows(root, tmp_path / "out")
    assert not (tmp_path / "out/manifest.parquet").exists()
    assert not list(tmp_path.glob("out/.manifest*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"defects": ["dent"]}, "--defect: 'dent': must be one of crack, deep_scratch"),
        ({"output": "nowhere://x"}, "--output: 'nowhere://x'"),
        ({"output": "s3://bucket/../x"}, r"must not contain '\.\.'"),
    ],
)
def test_an_option_that_cannot_be_is_named(tmp_path: Path, options: dict, words: str) -> None:
    settings = {"count": 2, "seed": 0, "output": str(tmp_path / "out"), **options}
    with pytest.raises(InputFault, match=words):
        make_plan(str(metal(tmp_path / "metal")), **settings)


def test_one_noun_for_several_objects_is_refused(tmp_path: Path) -> None:
    metal(tmp_path / "data/metal")
    disc(tmp_path / "data/coin")
    with pytest.raises(InputFault, match="names one of 2 objects"):
        plan_rows(tmp_path / "data", tmp_path / "out", object_name="thing")


def test_data_set_and_manifest_may_be_in_a_bucket(s3: str, tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    fsspec.filesystem("s3").put(f"{tmp_path / 'metal'}/", f"{s3}/data/metal/", recursive=True)
    plan = make_plan(f"{s3}/data", count=9, seed=3, output=f"{s3}/plans/one.parquet")
    assert plan.manifest.uri == f"{s3}/plans/one.parquet"
    ((_, rows),) = Manifest(plan.manifest.uri).chunks()
    plan_rows(tmp_path / "metal", tmp_path / "out", count=9)
    here = pq.read_table(tmp_path / "out/manifest.parquet").to_pylist()
    assert repr(rows).replace("one_files", "manifest_files") == repr(here)
    assert read(f"{s3}/plans/{rows[0]['image']['path']}", "RGB").shape == (96, 96, 3)


def test_a_plan_that_fails_leaves_no_manifest_in_a_bucket(s3: str, tmp_path: Path) -> None:
    root = metal(tmp_path / "metal")
    (root / "train/good/005.png").write_bytes(b"not a picture")
    with pytest.raises(InputFault, match="005"):
        make_plan(str(root), count=200, seed=3, output=f"{s3}/plan", options=TEXTURE)
    assert not fsspec.filesystem("s3").glob(f"{s3}/plan/*.parquet")


def adabldm(*words: str) -> list[str]:
    return [sys.executable, "-m", "jobs.cli", *words]


def test_a_killed_plan_leaves_no_manifest_and_the_next_one_is_whole(tmp_path: Path) -> None:
    root, out = metal(tmp_path / "metal"), tmp_path / "out"
    command = adabldm("plan", str(root), "--count", "2000000", "--output", str(out))
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (list(out.glob(".manifest*")) and list(out.glob("manifest_files/*"))):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (out / "manifest.parquet").exists()
    after = plan_rows(root, out, count=40)
    assert without_folder(after, out) == without_folder(
        plan_rows(root, tmp_path / "calm", count=40), tmp_path / "calm"
    )


def test_the_command_says_what_it_made_and_bad_input_ends_with_2(tmp_path: Path) -> None:
    root, out = metal(tmp_path / "metal"), tmp_path / "out"
    command = adabldm("plan", str(root), "--count", "5", "--output", str(out))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith("planned 5 requests in ")
    assert line.endswith(f"{out}/manifest.parquet")
    bad = subprocess.run(
        adabldm("plan", str(tmp_path / "none"), "--count", "5", "--output", str(tmp_path / "o")),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert bad.returncode == 2
    assert "there is no such folder" in bad.stderr
    assert "Traceback" not in bad.stderr
    assert not (tmp_path / "o").exists()
