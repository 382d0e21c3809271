"""Every format is read back by the readers that it is for, pair by pair and bit by bit."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import webdataset
import yaml
from datasets import load_dataset
from PIL import Image, ImageDraw
from pycocotools.coco import COCO

from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from cluster.output.export.formats import FORMATS
from cluster.output.export.job import ExportSpec, export
from cluster.output.export.selection import GoodPicture
from cluster.storage.location import Location
from tests.support.making import index_of
from tests.support.outputs import HEIGHT, TYPES, WIDTH, draw_output, true_mask
from tests.support.trees import picture

PAIRS, UNIT = 11, 4


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Location:
    """Pairs of two objects, and rows of other statuses."""
    folder = tmp_path_factory.mktemp("output") / "pairs"
    return draw_output(
        str(folder), PAIRS + 2, types=TYPES, statuses={3: "failed", 7: "rejected"}
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows(output: Location) -> dict[str, dict[str, Any]]:
    """The accepted rows, by id."""
    return {row["request_id"]: row for row in index_of(output.path) if row["status"] == "ok"}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[GoodPicture]:
    """Two good pictures to learn from and one to test on, of each object; one is a JPEG on its
    side, two have one name."""
    folder = tmp_path_factory.mktemp("good")
    found = []
    for item in ("cap", "nut"):
        for path, split in (("a/0.png", "train"), ("b/0.png", "train"), ("t/1.png", "test")):
            file = folder / item / path
            file.parent.mkdir(parents=True)
            file.write_bytes(picture(f"{item}{path}"))
            found.append(GoodPicture(object=item, uri=file.as_uri(), split=split))
    turned = folder / "nut/t/turned.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.new("L", (60, 20), 99).save(turned, exif=exif)
    return [*found, GoodPicture(object="nut", uri=turned.as_uri(), split="test")]


Made = Callable[..., Path]


@pytest.fixture
def made(output: Location, good: list[GoodPicture], tmp_path: Path) -> Made:
    """Exports in a format, with the good pictures."""

    def make(name: str, **how: Any) -> Path:
        target = Location.of(str(tmp_path / "export"))
        spec = ExportSpec(
            output=output, target=target, format=name, good=good, good_of="good", **how
        )
        done = export(spec, unit=UNIT)
        assert (done.pairs, done.good) == (PAIRS, len(good))
        assert done.left_out == {"failed": 1, "rejected": 1}
        return tmp_path / "export"

    return make


def pixels(file: Any) -> np.ndarray:
    return np.asarray(Image.open(file))


def same_bytes(file: Path | bytes, output: Location, path: str) -> bool:
    data = file if isinstance(file, bytes) else file.read_bytes()
    return data == output.join(path).read()


def test_mvtec_is_whole_and_read_by_prepare(
    made: Made, output: Location, rows: dict[str, Any]
) -> None:
    root = made("mvtec")
    for name, row in rows.items():
        stem = f"{row['defect']}/{name}"
        assert same_bytes(root / row["object"] / f"test/{stem}.png", output, row["image"])
        truth = root / row["object"] / f"ground_truth/{stem}_mask.png"
        assert same_bytes(truth, output, row["mask"])
    folders = open_dataset(str(root), DatasetOptions(shots=1))
    assert [(f.name, len(f.good), len(f.test_good)) for f in folders] == [
        ("cap", 2, 1), ("nut", 2, 2),
    ]  # fmt: skip
    assert sum(len(f.defects) + len(f.held_out) for f in folders) == PAIRS
    (turned,) = root.glob("nut/test/good/turned*")
    assert pixels(turned).shape == (60, 20)


def test_coco_is_read_by_pycocotools_and_by_prepare(
    made: Made, output: Location, rows: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    root = made("coco")
    coco = COCO(root / "annotations/instances_train.json")
    categories = {item["id"]: item for item in coco.loadCats(coco.getCatIds())}
    assert [item["name"] for item in categories.values()] == ["cap_crack", "nut_crack", "nut_hole"]
    images = coco.loadImgs(coco.getImgIds())
    assert len(images) == PAIRS + 4
    seen = set()
    for image in images:
        found = pixels(root / "train" / image["file_name"])
        assert found.shape[:2] == (image["height"], image["width"])
        annotations = coco.loadAnns(coco.getAnnIds(image["id"]))
        if image["defect"] == "good":
            assert annotations == []
            continue
        row = rows[image["request_id"]]
        seen.add(image["request_id"])
        truth = true_mask(output, row)
        total = np.zeros_like(truth)
        for annotation in annotations:
            mask = coco.annToMask(annotation).astype(bool)
            assert annotation["area"] == mask.sum()
            x, y, width, height = annotation["bbox"]
            assert mask[y : y + height, x : x + width].sum() == mask.sum()
            assert not (total & mask).any()
            total |= mask
            name = categories[annotation["category_id"]]["name"]
            assert name == f"{row['object']}_{row['defect']}"
        assert (total == truth).all()
    assert seen == set(rows)
    test = COCO(root / "annotations/instances_test.json")
    assert (len(test.getImgIds()), test.getAnnIds()) == (3, [])
    (folder,) = open_dataset(str(root), DatasetOptions(shots=2))
    assert {d.defect for d in folder.defects} == {"cap_crack", "nut_crack", "nut_hole"}


def parsed_like_ultralytics(path: Path, classes: int) -> list[tuple[int, np.ndarray]]:
    """``verify_image_label`` of ultralytics for segments: its checks and its reading."""
    lines = [line.split() for line in path.read_text().strip().splitlines() if line]
    assert all(len(line) > 6 for line in lines)
    found = []
    for line in lines:
        numbers = np.array(line[1:], np.float32).reshape(-1, 2)
        assert numbers.min() >= 0
        assert numbers.max() <= 1
        assert float(line[0]) < classes
        found.append((int(line[0]), numbers))
    return found


def filled(shares: np.ndarray, height: int, width: int) -> np.ndarray:
    """``polygon2mask`` of ultralytics: corners cut to whole pixels, the border drawn."""
    image = Image.new("1", (width, height))
    corners = (shares * [width, height]).astype(np.int32).tolist()
    ImageDraw.Draw(image).polygon([tuple(c) for c in corners], fill=1, outline=1)
    return np.asarray(image)


def test_yolo_labels_pass_ultralytics_checks_and_are_the_masks(
    made: Made, output: Location, rows: dict[str, Any]
) -> None:
    root = made("yolo-seg")
    settings = yaml.safe_load((root / "data.yaml").read_text())
    assert settings["names"] == {0: "cap_crack", 1: "nut_crack", 2: "nut_hole"}
    for split in ("train", "val", "test"):
        assert (root / settings[split]).is_dir()
    labels = {path.stem: path for path in (root / "labels/train").glob("*.txt")}
    images = {path.stem: path for path in (root / "images/train").glob("*.*")}
    assert labels.keys() == images.keys()
    assert len(labels) == PAIRS + 4
    for name, row in rows.items():
        parts = parsed_like_ultralytics(labels[name], 3)
        masks = [filled(shares, HEIGHT, WIDTH) for _, shares in parts]
        assert (np.logical_or.reduce(masks) == true_mask(output, row)).all()
        assert {settings["names"][number] for number, _ in parts} == {
            f"{row['object']}_{row['defect']}"
        }
    assert all(labels[name].read_text() == "" for name in labels.keys() - rows.keys())
    (folder,) = open_dataset(str(root), DatasetOptions(shots=2))
    assert {d.defect for d in folder.defects} == {"cap_crack", "nut_crack", "nut_hole"}


def test_webdataset_reads_whole_samples(made: Made, output: Location, rows: dict[str, Any]) -> None:
    root = made("webdataset")
    shards = sorted(str(path) for path in root.glob("train-*.tar"))
    assert len(shards) == 4
    seen = {}
    for sample in webdataset.WebDataset(shards, shardshuffle=False):
        facts = json.loads(sample["json"])
        assert pixels(io.BytesIO(sample["mask.png"])).shape == pixels(
            io.BytesIO(sample["png"])
        ).shape[:2]  # fmt: skip
        if facts["defect"] == "good":
            assert not pixels(io.BytesIO(sample["mask.png"])).any()
            continue
        row = rows[facts["request_id"]]
        assert same_bytes(sample["png"], output, row["image"])
        assert same_bytes(sample["mask.png"], output, row["mask"])
        assert (facts["prompt"], facts["seed"]) == (row["prompt"], row["seed"])
        seen[facts["request_id"]] = facts
    assert seen.keys() == rows.keys()
    decoded = next(iter(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8")))
    assert decoded["png"].shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("name", ["hf", "imagefolder"])
def test_datasets_reads_pictures_masks_and_columns(
    name: str, made: Made, output: Location, rows: dict[str, Any], tmp_path: Path
) -> None:
    root = made(name)
    found = load_dataset(str(root), cache_dir=str(tmp_path / "cache"))
    assert {split: len(found[split]) for split in found} == {"train": PAIRS + 4, "test": 3}
    assert set(found["train"].column_names) == {
        "image", "mask", "object", "defect", "request_id", "prompt", "seed",
    }  # fmt: skip
    seen = set()
    for one in found["train"]:
        mask = np.asarray(one["mask"])
        if one["defect"] == "good":
            assert not mask.any()
            assert one["request_id"] is None
            continue
        row = rows[one["request_id"]]
        truth = pixels(io.BytesIO(output.join(row["image"]).read()))
        assert (np.asarray(one["image"]) == truth).all()
        assert ((mask > 0) == true_mask(output, row)).all()
        assert (one["object"], one["seed"]) == (row["object"], row["seed"])
        seen.add(one["request_id"])
    assert seen == set(rows)


def test_duckdb_reads_the_parquet(made: Made, rows: dict[str, Any], output: Location) -> None:
    root = made("hf")
    query = "select request_id, image.bytes from read_parquet(?) where defect <> 'good'"
    found = duckdb.execute(query, [str(root / "data/*.parquet")]).fetchall()
    assert {name for name, _ in found} == set(rows)
    assert all(same_bytes(data, output, rows[name]["image"]) for name, data in found)


@pytest.mark.parametrize("name", [name for name, kind in FORMATS.items() if kind.links])
def test_links_lead_to_the_files_and_nothing_is_copied(
    name: str, made: Made, output: Location
) -> None:
    root = made(name, link=True)
    images = [p for p in root.rglob("*.png") if p.is_symlink()]
    assert len([p for p in images if Path(output.path) in p.resolve().parents]) >= PAIRS
    assert all(path.is_file() for path in images)
    turned = list(root.rglob("*turned*.png"))  # is made, so there is nothing to lead to
    assert turned
    assert not any(path.is_symlink() for path in turned)


@pytest.mark.parametrize("name", FORMATS)
def test_a_tar_or_file_is_the_same_bytes_each_time(name: str, made: Made, tmp_path: Path) -> None:
    first = contents(made(name))
    (tmp_path / "export").rename(tmp_path / "first")
    assert contents(made(name)) == first


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".export" not in path.parts
    }


def test_splits_of_a_manifests_column_are_kept(tmp_path: Path) -> None:
    splits = ["train", "valid", "test", None]
    output = draw_output(str(tmp_path / "pairs"), 4, columns={"split": splits})
    for name in ("coco", "yolo-seg", "webdataset", "hf"):
        export(ExportSpec(output=output, target=Location.of(str(tmp_path / name)), format=name))
    assert len(COCO(tmp_path / "coco/annotations/instances_val.json").getImgIds()) == 1
    assert len(COCO(tmp_path / "coco/annotations/instances_train.json").getImgIds()) == 2
    assert sorted(path.name for path in (tmp_path / "yolo-seg/images").iterdir()) == [
        "test", "train", "val",
    ]  # fmt: skip
    with tarfile.open(tmp_path / "webdataset/val-000000.tar") as tar:
        assert len(tar.getnames()) == 3
    found = load_dataset(str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(found[name]) for name in found} == {"train": 2, "validation": 1, "test": 1}
