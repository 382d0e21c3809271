"""``adabldm prepare``: what is in a data set is told whole, and what is wrong by its path."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from adabldm.core import images, picture_uri
from adabldm.core.faults import InputFault
from adabldm.core.picture_uri import DatasetFault
from adabldm.data import drawn_metal, prepared
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from jobs.cli import app
from tests.support.broken import FAULTS, lay_out_broken
from tests.support.trees import lay_out, mask, mvtec, picture, table


def prepare(root: str, output: str, *options: str, look: bool = False) -> Result:
    words = ["prepare", root, "--output", output, *options, *([] if look else ["--no-foreground"])]
    result = CliRunner().invoke(app, words)
    if result.exception and not isinstance(result.exception, (InputFault, SystemExit)):
        raise result.exception
    return result


def read(uri: str) -> bytes:
    with fsspec.open(uri, "rb") as handle:
        data: bytes = handle.read()
    return data


@pytest.fixture(params=["file", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {"file": str(tmp_path), "memory": f"memory://{tmp_path.name}"}[request.param]


def test_every_fault_is_told_with_its_path_and_the_rest_is_used(root: str) -> None:
    broken = lay_out_broken(f"{root}/nut")
    result = prepare(broken, f"{root}/out")
    assert result.exit_code == 0
    told = list(csv.DictReader(io.StringIO(read(f"{root}/out/faults.csv").decode())))
    assert {(fault["kind"], fault["path"]) for fault in told} == set(FAULTS)
    assert len(told) == len(FAULTS)
    for fault in told:
        assert f"{fault['path']}: {fault['rule']}" in result.stdout
    assert f"mvtec layout: 9 pictures used, {len(FAULTS)} faults" in result.stdout
    (nut,) = open_dataset(f"{root}/out")
    assert (len(nut.good), len(nut.test_good), len(nut.defects)) == (3, 2, 4)
    assert nut.defect_types == ["crack"]


def test_strict_stops_at_faults_and_writes_nothing(root: str) -> None:
    broken = lay_out_broken(f"{root}/nut")
    result = prepare(broken, f"{root}/out", "--strict")
    assert isinstance(result.exception, InputFault)
    assert len(result.exception.lines) == len(FAULTS) + 1
    assert f"has {len(FAULTS)} faults, and --strict wants none" in result.exception.lines[-1]
    assert not fsspec.url_to_fs(f"{root}/out")[0].exists(fsspec.url_to_fs(f"{root}/out")[1])
    lay_out(f"{root}/sound", mvtec())
    assert prepare(f"{root}/sound", f"{root}/out", "--strict").exit_code == 0


def test_a_prepared_data_set_opens_as_the_raw_one(root: str) -> None:
    groups = table("image,group", [(f"test/crack/{i:03d}.png", str(i % 5)) for i in range(24)])
    captions = table("image,caption", [("nut/test/crack/001.png", "a hairline")])
    lay_out(f"{root}/data", mvtec("nut/", defects={"crack": 24}))
    lay_out(root, {"groups.csv": groups, "captions.csv": captions})
    options = ("--seed", "4", "--shots", "6", "--groups", f"{root}/groups.csv")
    result = prepare(f"{root}/data", f"{root}/out", *options, "--captions", f"{root}/captions.csv")
    assert result.exit_code == 0
    (nut,) = open_dataset(f"{root}/out")
    assert nut.name == "nut"
    assert len(nut.defects) == 6
    assert not {item.group for item in nut.defects} & {item.group for item in nut.held_out}
    said = {item.image: item.caption for item in (*nut.defects, *nut.held_out) if item.caption}
    assert all(uri.endswith("crack/001.png") for uri in said)
    assert set(said.values()) <= {"a hairline"}

    prepare(f"{root}/data", f"{root}/plain", "--seed", "4", "--shots", "6")
    assert open_dataset(f"{root}/plain") == open_dataset(
        f"{root}/data", DatasetOptions(shots=6, split_seed=4)
    )


def test_the_index_holds_size_and_defect_area(tmp_path: Path) -> None:
    lay_out(str(tmp_path / "nut"), mvtec())
    prepare(str(tmp_path / "nut"), str(tmp_path / "out"))
    rows = pq.read_table(tmp_path / "out/dataset.parquet")
    assert rows.schema.equals(prepared.SCHEMA)
    for row in rows.to_pylist():
        assert (row["height"], row["width"]) == (32, 32)
        assert row["defect_share"] == pytest.approx(20 / 1024 if row["defect"] else 0)


def test_a_split_is_written_down_and_kept(tmp_path: Path) -> None:
    lay_out(str(tmp_path / "nut"), mvtec(defects={"crack": 14, "dent": 3}))
    prepare(str(tmp_path / "nut"), str(tmp_path / "one"), "--seed", "1", "--shots", "2")
    kept = str(tmp_path / "one/split.json")
    prepare(str(tmp_path / "nut"), str(tmp_path / "two"), "--split", kept, "--seed", "9")
    (one,), (two,) = (open_dataset(str(tmp_path / name)) for name in ("one", "two"))
    assert one == two
    assert Counter(item.defect for item in one.defects) == {"crack": 2, "dent": 2}
    written = json.loads((tmp_path / "two/split.json").read_text())
    assert written["seed"] is None


def test_what_lists_name_beside_the_data_set_is_a_fault(tmp_path: Path) -> None:
    root = lay_out(str(tmp_path / "nut"), mvtec())
    (tmp_path / "few.txt").write_text("crack/000.png\ncrack/077.png\n")
    (tmp_path / "groups.csv").write_text("image,group\ntest/crack/088.png,4\n")
    lists = ("--split", str(tmp_path / "few.txt"), "--groups", str(tmp_path / "groups.csv"))
    result = prepare(root, str(tmp_path / "out"), *lists)
    assert "crack/077.png: in the split is no defect picture" in result.stdout
    assert "test/crack/088.png: is no picture of this data set" in result.stdout
    assert "9 pictures used, 2 faults" in result.stdout
    (nut,) = open_dataset(str(tmp_path / "out"))
    assert [Path(item.image).name for item in nut.defects] == ["000.png"]


def parts(root: Path, *, textured: bool) -> str:
    """Bright bars on a dark ground, or brushed metal."""
    files = mvtec(good=0)
    for seed in range(6):
        picture = drawn_metal.draw_part(seed, 64).image
        if not textured:
            picture = np.full((64, 64, 3), 20, np.uint8)
            picture[16:50, 12 + seed : 40 + seed] = (210, 190, 90)
        files[f"train/good/{seed}.png"] = images.encode_png(picture)
    return lay_out(str(root), files)


def test_objects_are_outlined_and_found_again(tmp_path: Path) -> None:
    result = prepare(parts(tmp_path / "bar", textured=False), str(tmp_path / "out"), look=True)
    assert result.exit_code == 0
    (bar,) = open_dataset(str(tmp_path / "out"))
    assert bar.surface == "object"
    assert set(bar.foreground) == set(bar.good)
    for uri, outline in bar.foreground.items():
        bright = picture_uri.read_picture(uri, "L") > 100
        inside = picture_uri.read_picture(outline, "L") > 0
        assert (bright & inside).sum() / (bright | inside).sum() > 0.9


def test_a_texture_is_found_or_declared_and_has_no_outline(tmp_path: Path) -> None:
    metal, bar = parts(tmp_path / "metal", textured=True), parts(tmp_path / "bar", textured=False)
    prepare(metal, str(tmp_path / "one"), look=True)
    prepare(bar, str(tmp_path / "two"), "--surface", "texture", look=True)
    for name in ("one", "two"):
        (found,) = open_dataset(str(tmp_path / name))
        assert found.surface == "texture"
        assert not found.foreground
        assert not (tmp_path / name / "foreground").exists()


def test_an_object_that_cannot_be_seen_is_refused(tmp_path: Path) -> None:
    metal = parts(tmp_path / "metal", textured=True)
    result = prepare(metal, str(tmp_path / "out"), "--surface", "object", look=True)
    with pytest.raises(InputFault, match="metal: is said to be an object, but none is seen"):
        raise result.exception or AssertionError(result.stdout)


def test_a_tall_picture_of_another_size_than_its_mask_is_told(tmp_path: Path) -> None:
    files = {"train/1.png": picture("1", 60, 32), "train/1_GT.png": mask(96, 32)}
    files |= {"train/2.png": picture("2", 96, 32), "train/2_GT.png": mask(96, 32)}
    result = prepare(lay_out(str(tmp_path / "tall"), files), str(tmp_path / "out"))
    assert "train/1_GT.png: is 32 x 96, its picture train/1.png 32 x 60" in result.stdout
    assert "train/1.png#xywh=0,64,32,32: is not inside its picture" in result.stdout
    assert "ksdd2 layout: 3 pictures used" in result.stdout


def test_it_goes_from_object_storage_to_object_storage(s3: str) -> None:
    lay_out(f"{s3}/nut", mvtec())
    assert prepare(f"{s3}/nut", f"{s3}/prepared").exit_code == 0
    (nut,) = open_dataset(f"{s3}/prepared")
    assert nut == open_dataset(f"{s3}/nut")[0]


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda root: root / "none", (), "there is no such folder"),
        (lambda root: root / "nut", ("--layout", "btad"), r"no train/ok below it \(btad layout\)"),
        (lambda root: root / "nut", ("--layout", "voc"), "layout 'voc' is not one of auto"),
        (
            lambda root: root / "nut",
            ("--split", "no.txt"),
            "--split: .*/no.txt': there is no",
        ),
        (
            lambda root: root / "nut",
            ("--groups", "no.csv"),
            "--groups: .*/no.csv': there is no",
        ),
        (lambda root: root / "out", (), "is a prepared data set already"),
        (lambda root: root, (), "must not be inside DATASET"),
        (lambda root: root / "ruins", (), "holds no picture that can be used"),
    ],
)
def test_bad_input_is_refused_in_a_line(
    tmp_path: Path, make: object, options: tuple[str, ...], message: str
) -> None:
    lay_out(str(tmp_path / "nut"), mvtec())
    lay_out(str(tmp_path / "ruins"), {"train/good/1.png": b"?"})
    prepare(str(tmp_path / "nut"), str(tmp_path / "out"))
    assert callable(make)
    result = prepare(str(make(tmp_path)), str(tmp_path / "other"), *options)
    with pytest.raises(InputFault, match=message):
        raise result.exception or AssertionError(result.stdout)


@pytest.mark.parametrize(
    "options",
    [
        DatasetOptions(split_file="few.txt"),
        DatasetOptions(shots=3),
        DatasetOptions(split_seed=1),
        DatasetOptions(groups="groups.csv"),
        DatasetOptions(captions="captions.csv"),
    ],
)
def test_a_prepared_data_set_keeps_its_split(tmp_path: Path, options: DatasetOptions) -> None:
    lay_out(str(tmp_path / "nut"), mvtec())
    prepare(str(tmp_path / "nut"), str(tmp_path / "out"))
    with pytest.raises(DatasetFault, match="is prepared, its split is made"):
        open_dataset(str(tmp_path / "out"), options)


def test_pictures_that_were_moved_away_are_missed_in_a_line(tmp_path: Path) -> None:
    lay_out(str(tmp_path / "nut"), mvtec())
    prepare(str(tmp_path / "nut"), str(tmp_path / "out"))
    (tmp_path / "nut").rename(tmp_path / "bolt")
    rule = rf"was prepared from file://{tmp_path}/nut, where .* is no more; prepare it again"
    with pytest.raises(DatasetFault, match=rule):
        open_dataset(str(tmp_path / "out"))
    (tmp_path / "bolt").rename(tmp_path / "nut")
    (tmp_path / "out").rename(tmp_path / "moved")
    assert open_dataset(str(tmp_path / "moved"))


def test_an_index_that_is_none_is_refused(tmp_path: Path) -> None:
    index = tmp_path / "dataset.parquet"
    index.write_bytes(b"no")
    with pytest.raises(DatasetFault, match="is not a Parquet file"):
        open_dataset(str(tmp_path))
    pq.write_table(prepared.SCHEMA.empty_table().drop_columns("side"), index)
    with pytest.raises(DatasetFault, match="has not the columns of an index"):
        open_dataset(str(tmp_path))
    row = dict.fromkeys(prepared.SCHEMA.names) | {"object": "a", "image": "b", "side": "left"}
    pq.write_table(pa.Table.from_pylist([row], prepared.SCHEMA), index)
    with pytest.raises(DatasetFault, match="row 0: side 'left' is not known"):
        open_dataset(str(tmp_path))


def test_help_does_not_wait_for_the_image_libraries(start: object) -> None:
    assert callable(start)
    process = start("prepare", "--help")
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "adabldm prepare mvtec/screw --output prepared/screw" in told
