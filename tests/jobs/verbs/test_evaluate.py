"""``adabldm evaluate`` scores anybody's detector exactly, and names what is wrong with its maps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from adabldm.core.faults import InputFault
from adabldm.evaluation import score_maps
from jobs.verbs import evaluate, prepare
from tests.support.detections import (
    Detected,
    draw,
    lay_out,
    plain_figures,
    write_maps,
    write_picture,
)
from tests.support.trees import lay_out as lay_out_files
from tests.support.trees import mvtec, named

COUNTS = {"good": 4, "crack": 5, "hole": 4}


@pytest.fixture
def made(tmp_path: Path) -> tuple[str, Path, list[Detected]]:
    """A data set, its maps, and what both were made of."""
    drawn = draw(COUNTS)
    data = lay_out(tmp_path / "part", drawn)
    return str(data), write_maps(tmp_path / "maps", drawn), drawn


def run(tmp_path: Path, data: str, maps: Path | str) -> dict[str, Any]:
    file = tmp_path / "figures.json"
    evaluate.main(data, str(maps), str(file))
    return json.loads(file.read_text())


def assert_close(content: dict[str, Any], plain: dict[str, float]) -> None:
    assert {name: content[name] for name in plain} == pytest.approx(plain, abs=1e-6)


def test_the_file_holds_every_figure_in_all_and_by_type(
    made: tuple[str, Path, list[Detected]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, maps, drawn = made
    content = run(tmp_path, data, maps)
    assert_close(content, plain_figures(drawn))
    for defect in ("crack", "hole"):
        some = [one for one in drawn if one.kind in ("good", defect)]
        assert_close(content["by_type"][defect], plain_figures(some))
    assert "by_object" not in content
    last = capsys.readouterr().out.splitlines()[-1]
    told = "9 defective and 4 good pictures (all test pictures), figures:"
    assert last == f"{told} {tmp_path}/figures.json"


def test_of_a_prepared_data_set_what_is_learned_from_is_never_tested_on(
    made: tuple[str, Path, list[Detected]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, maps, drawn = made
    prepared = str(tmp_path / "prepared")
    prepare.main(data, prepared, shots=2, surface="texture")
    split = json.loads((tmp_path / "prepared/split.json").read_text())
    (of_types,) = (item["defects"] for item in split["objects"].values())
    few = {path for kind in of_types.values() for path in kind["few"]}
    assert len(few) == 4
    held_out = [one for one in drawn if not any(one.name in path for path in few)]
    capsys.readouterr()
    content = run(tmp_path, prepared, maps)
    assert_close(content, plain_figures(held_out))
    assert content["tested_on"] == "held out"
    assert "maps of pictures that are not tested on are not used (4)" in capsys.readouterr().err
    for path in few:  # they need no map
        (maps / path.partition("test/")[2]).with_suffix(".npy").unlink()
    assert run(tmp_path, prepared, maps) == content


def save_tiff(path: Path, scores: np.ndarray) -> None:
    tifffile.imwrite(path.with_suffix(".tiff"), scores)


def save_png(path: Path, scores: np.ndarray) -> None:
    write_picture(path.with_suffix(".png"), ((scores + 4) * 5000).astype(np.uint16))


@pytest.mark.parametrize("save", [save_tiff, save_png])
def test_tiffs_and_pngs_are_maps_too(
    save: Callable[[Path, np.ndarray], None],
    made: tuple[str, Path, list[Detected]],
    tmp_path: Path,
) -> None:
    data, maps, drawn = made
    for one in drawn:
        save(maps / f"{one.name}.npy", one.scores)
        (maps / f"{one.name}.npy").unlink()
    if save is save_png:
        drawn = [replace(d, scores=((d.scores + 4) * 5000).astype(np.uint16)) for d in drawn]
    assert_close(run(tmp_path, data, maps), plain_figures(drawn))


def test_maps_of_half_the_size_are_enlarged(
    made: tuple[str, Path, list[Detected]], tmp_path: Path
) -> None:
    data, maps, drawn = made
    small = [replace(one, scores=one.scores[::2, ::2].copy()) for one in drawn]
    write_maps(maps, small)
    fitted = [replace(d, scores=score_maps.fit(d.scores, d.mask.shape)) for d in small]
    assert_close(run(tmp_path, data, maps), plain_figures(fitted))


def test_several_objects_have_folders_of_their_own(tmp_path: Path) -> None:
    sets = {name: draw(COUNTS, seed=seed) for seed, name in enumerate(("cap", "nut"))}
    for name, drawn in sets.items():
        lay_out(tmp_path / "data" / name, drawn)
        write_maps(tmp_path / "maps" / name, drawn)
        write_maps(tmp_path / "whole" / name / "test", drawn)
    content = run(tmp_path, str(tmp_path / "data"), tmp_path / "maps")
    plain = {name: plain_figures(drawn) for name, drawn in sets.items()}
    for name in sets:
        assert_close(content["by_object"][name], plain[name])
    means = {figure: (plain["cap"][figure] + plain["nut"][figure]) / 2 for figure in plain["cap"]}
    assert_close(content, means)
    assert set(content["by_type"]) == {"cap/crack", "cap/hole", "nut/crack", "nut/hole"}
    again = run(tmp_path, str(tmp_path / "data"), tmp_path / "whole")
    assert {**again, "scores": ""} == {**content, "scores": ""}


Spoil = Callable[[Path, Path], None]


def array(name: str, values: np.ndarray) -> Spoil:
    return lambda maps, _: np.save(maps / name, values)


def gone(name: str) -> Spoil:
    return lambda maps, _: (maps / name).unlink()


def copied(name: str, other: str) -> Spoil:
    def spoil(maps: Path, _: Path) -> None:
        (maps / other).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(maps / name, maps / other)

    return spoil


def no_defects(_: Path, data: Path) -> None:
    for kind in ("crack", "hole"):
        shutil.rmtree(data / "test" / kind)
        shutil.rmtree(data / "ground_truth" / kind)


def lost_mask(_: Path, data: Path) -> None:
    (data / "ground_truth/crack/001_mask.png").unlink()


NAN = np.full((48, 64), np.nan, np.float32)
SPOILED: dict[str, tuple[Spoil, str]] = {
    "a map is missing": (
        gone("hole/002.npy"),
        r"--scores: .*/maps: has no map of 1 of 13 test pictures: hole/002 \(\.npy, ",
    ),
    "a good picture's is missing": (gone("good/001.npy"), "has no map of 1 of .*: good/001"),
    "a map of nothing": (
        copied("hole/002.npy", "hole/099.npy"),
        r"has maps of no picture of the data set \(1\): hole/099\.npy",
    ),
    "two maps": (
        copied("hole/002.npy", "test/hole/002.npy"),
        r"second maps of one picture \(1\): test/hole/002\.npy \(after hole/002\.npy\)",
    ),
    "a name of two": (
        copied("hole/002.npy", "002.npy"),
        r"names of several pictures' maps \(1\): 002",
    ),
    "not finite": (array("crack/001.npy", NAN), r"maps/crack/001\.npy: 3072 of its 3072 numbers"),
    "good and not finite": (array("good/001.npy", NAN), r"maps/good/001\.npy: .* not finite"),
    "turned": (array("crack/001.npy", np.zeros((64, 48))), "is 48 x 64, its picture is 64 x 48"),
    "square": (array("good/001.npy", np.zeros((64, 64))), "good/001.npy: is 64 x 64, its"),
    "whole numbers": (array("crack/001.npy", np.zeros((48, 64), int)), "holds int64, must hold"),
    "colours": (array("crack/001.npy", np.zeros((48, 64, 3))), "must be .height, width"),
    "no defects": (no_defects, "DATASET: .*: tests on no defect: its test side is empty"),
    "a mask is lost": (lost_mask, "DATASET: .*mask-missing.*test/crack/001.png"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_wrong_is_named_and_nothing_is_written(
    name: str, made: tuple[str, Path, list[Detected]], tmp_path: Path
) -> None:
    data, maps, _ = made
    spoil, told = SPOILED[name]
    spoil(maps, Path(data))
    with pytest.raises(InputFault, match=told):
        run(tmp_path, data, maps)
    assert not (tmp_path / "figures.json").exists()


def test_many_missing_maps_are_one_line(
    made: tuple[str, Path, list[Detected]], tmp_path: Path
) -> None:
    data, maps, _ = made
    shutil.rmtree(maps / "crack")
    shutil.rmtree(maps / "good")
    (maps / "hole/000.npy").rename(maps / "hole/abc.npy")
    with pytest.raises(InputFault) as caught:
        run(tmp_path, data, maps)
    missing, foreign = caught.value.lines
    assert "has no map of 10 of 13 test pictures: " in missing
    assert foreign.endswith("has maps of no picture of the data set (1): hole/abc.npy")


def test_good_pictures_of_train_and_of_test_with_one_name_are_told_apart(tmp_path: Path) -> None:
    drawn = draw({"good": 1, "crack": 3})
    data = str(lay_out(tmp_path / "part", drawn))  # train/good/000 and test/good/000
    maps = write_maps(tmp_path / "maps", drawn)
    (maps / "train/good").mkdir(parents=True)
    np.save(maps / "train/good/000.npy", np.zeros((48, 64)))
    assert_close(run(tmp_path, data, maps), plain_figures(drawn))


def test_nested_folders_and_other_layouts_are_named_as_their_pictures_are(tmp_path: Path) -> None:
    nested = {
        name.replace("crack/", "crack/line1/"): data
        for name, data in mvtec(good=2, test_good=2, defects={"crack": 2}).items()
    }
    root = lay_out_files(str(tmp_path / "nested"), nested)
    for name in ("good/000", "good/001", "crack/line1/000", "crack/line1/001"):
        path = tmp_path / f"maps/{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(0).random((32, 32)))
    assert run(tmp_path, root, tmp_path / "maps")["defective_pictures"] == 2
    btad = named(
        "train/ok/0.bmp.png", "test/ok/1.png", "test/ko/2.png", "ground_truth/ko/2_mask.png"
    )
    root = lay_out_files(str(tmp_path / "btad"), btad)
    for good in ("ok", "good"):
        for name in (f"{good}/1", "ko/2"):
            path = tmp_path / f"{good}_maps/{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.random.default_rng(0).random((32, 32)))
        assert run(tmp_path, root, tmp_path / f"{good}_maps")["good_pictures"] == 1
