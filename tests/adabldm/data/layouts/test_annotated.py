"""Shapes in LabelMe, COCO and YOLO files become masks that everything downstream reads."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from adabldm.core import images
from adabldm.core.picture_uri import read_defect_mask, read_picture
from adabldm.data import layouts, preparation, prepared
from adabldm.data.layouts import Listing, Tree
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.data.preparation import Outlined
from tests.support.trees import lay_out, picture

SIZE = (40, 60)
BOX = [[10, 5], [30, 5], [30, 20], [10, 20]]
"""15 rows of 20 pixels."""

ROW = [number for point in BOX for number in point]


def shot(name: str) -> bytes:
    return picture(name, *SIZE)


def shape(label: str, points: list, kind: str = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


def labelme(image: str, *shapes: dict[str, Any], size: tuple[int, int] = SIZE) -> bytes:
    told = {"imagePath": image, "imageHeight": size[0], "imageWidth": size[1]}
    return json.dumps({"shapes": shapes, **told}).encode()


def coco(names: list[str], *annotations: tuple[int, int, Any]) -> bytes:
    content = {
        "images": [
            {"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]}
            for i, name in enumerate(names)
        ],
        "annotations": [
            {
                "id": i,
                "image_id": image,
                "category_id": kind,
                "segmentation": where,
                "bbox": [1] * 4,
            }
            for i, (image, kind, where) in enumerate(annotations)
        ],
        "categories": [{"id": 1, "name": "scratch"}, {"id": 2, "name": "dent"}],
    }
    return json.dumps(content).encode()


RECTANGLE = shape("dent", BOX[::2], "rectangle")
YOLO = b"names: {0: scratch, 1: dent}\ntrain: images/train\n"
LINE = " ".join(f"{x / SIZE[1]} {y / SIZE[0]}" for x, y in BOX)
STAMP = base64.b64encode(images.encode_png(np.full((15, 20), 255, np.uint8))).decode()
RUNS = {"size": list(SIZE), "counts": [405, *([15, 25] * 19), 15, 1220]}
PICTURES = {f"images/{i}.png": shot(str(i)) for i in range(3)}
BESIDE = {f"{i}.jpg": shot(str(i)) for i in range(3)}
ROBOFLOW = {f"train/{i}.png": shot(str(i)) for i in range(3)}

SETS: dict[str, tuple[str, dict[str, bytes]]] = {
    "labelme beside": (
        "labelme",
        BESIDE | {"0.json": labelme("0.jpg", shape("scratch", BOX), RECTANGLE)},
    ),
    "labelme apart": (
        "labelme",
        PICTURES
        | {
            "json/0.json": labelme(r"..\images\0.png", shape("scratch", BOX), shape("dent", BOX)),
            "json/1.json": labelme("../images/1.png"),
        },
    ),
    "labelme masks": (
        "labelme",
        BESIDE
        | {
            "0.json": labelme(
                "0.jpg",
                shape("scratch", [[10, 5], [29, 19]], "mask", mask=STAMP),
                shape("dent", BOX),
            )
        },
    ),
    "coco": (
        "coco",
        PICTURES
        | {"annotations/a.json": coco(["0.png", "1.png", "2.png"], (0, 1, [ROW]), (0, 2, RUNS))},
    ),
    "roboflow": (
        "coco",
        ROBOFLOW
        | {
            "train/_annotations.coco.json": coco(
                [f"{i}.png" for i in range(3)], (0, 1, [ROW[:6], ROW[4:] + ROW[:2]]), (0, 2, [ROW])
            )
        },
    ),
    "yolo by part": (
        "yolo",
        {f"train/images/{i}.png": shot(str(i)) for i in range(3)}
        | {"data.yaml": YOLO, "train/labels/0.txt": f"0 {LINE}\n1 {LINE}\n".encode()},
    ),
    "yolo by kind": (
        "yolo",
        {f"images/train/{i}.png": shot(str(i)) for i in range(3)}
        | {
            "dataset.yaml": YOLO,
            "labels/train/0.txt": f"0 {LINE}\n1 {LINE}\n".encode(),
            "labels/train/1.txt": b"",
        },
    ),
}  # fmt: skip


def read(root: Path, files: Mapping[str, bytes]) -> Listing:
    return layouts.read(Tree(lay_out(str(root / "plate"), files)))


@pytest.mark.parametrize("case", SETS)
def test_shapes_are_masks_and_pictures_without_any_are_good(tmp_path: Path, case: str) -> None:
    layout, files = SETS[case]
    listing = read(tmp_path, files)
    assert listing.layout == layout
    assert not listing.faults
    (plate,) = open_dataset(str(tmp_path / "plate"))
    assert (plate.name, len(plate.good)) == ("plate", 2)
    assert {item.defect for item in plate.defects} == {"scratch", "dent"}
    expected = np.zeros(SIZE, bool)
    expected[5:20, 10:30] = True
    for item in plate.defects:
        assert read_picture(item.image).shape[:2] == SIZE
        assert ((read_defect_mask(item.mask, item.mask_rule) > 0) == expected).all()


@pytest.mark.parametrize("case", SETS)
def test_prepared_masks_are_files(tmp_path: Path, case: str) -> None:
    root = lay_out(str(tmp_path / "plate"), SETS[case][1])
    checked = preparation.check(root, DatasetOptions())
    assert not checked.faults
    counted = checked.count(Outlined.unseen(checked))
    assert (counted.present, counted.used) == (3, 3)

    def write(path: str, data: bytes) -> None:
        lay_out(str(tmp_path / "out"), {path: data})

    preparation.write(checked, Outlined.unseen(checked), DatasetOptions(), write)
    rows = pq.read_table(tmp_path / "out" / prepared.INDEX).to_pylist()
    stored = [row["mask"] for row in rows if row["mask"]]
    assert all((tmp_path / "out" / path).is_file() for path in stored)
    assert len(set(stored)) == 2
    (plate,) = open_dataset(str(tmp_path / "out"))
    for item in plate.defects:
        assert read_defect_mask(item.mask, item.mask_rule).sum() == 300 * 255


def test_a_picture_with_two_types_is_on_one_side(tmp_path: Path) -> None:
    files = {f"{i}.jpg": shot(str(i)) for i in range(30)}
    for i in range(24):
        both = [shape(kind, BOX) for kind in (("dent", "scratch") if i % 2 else ("dent",))]
        files[f"{i}.json"] = labelme(f"{i}.jpg", *both)
    lay_out(str(tmp_path), files)
    (folder,) = open_dataset(str(tmp_path), DatasetOptions(shots=5))
    learned = {item.image for item in folder.defects}
    assert len([item for item in folder.defects if item.defect == "scratch"]) == 5
    assert not learned & {item.image for item in folder.held_out}


FAULTY: dict[str, tuple[dict[str, bytes], str, str]] = {
    "point": (
        BESIDE | {"0.json": labelme("0.jpg", shape("dent", [[3, 3]], "point"))},
        "shape",
        "0.json: shape 1 (dent): is a point, which marks no area",
    ),
    "no label": (
        BESIDE | {"0.json": labelme("0.jpg", {"points": BOX})},
        "shape",
        "0.json: shape 1: must have a label",
    ),
    "lost": (
        BESIDE | {"9.json": labelme("9.jpg", shape("dent", BOX))},
        "annotation-alone",
        "9.json: its picture '9.jpg' does not exist",
    ),
    "other size": (
        BESIDE | {"0.json": labelme("0.jpg", shape("dent", BOX), size=(60, 40))},
        "annotation-size",
        "0.jpg: is 60 x 40 upright, but was annotated at 40 x 60 (in 0.json)",
    ),
    "outside": (
        BESIDE | {"0.json": labelme("0.jpg", shape("dent", [[90, 90], [99, 90], [99, 99]]))},
        "shape",
        "0.json: shape 1 (dent): marks no pixel of its picture",
    ),
    "full": (
        BESIDE | {"0.json": labelme("0.jpg", shape("dent", [[-1, -1], [99, 99]], "rectangle"))},
        "mask-full",
        "0.json (dent in 0.jpg): marks every pixel by the rule nonzero",
    ),
    "coco box": (
        PICTURES | {"annotations/a.json": coco(["0.png", "1.png", "2.png"], (0, 1, []))},
        "shape",
        "annotations/a.json: annotations[0] (scratch): is a box, and boxes are no masks",
    ),
    "coco lost": (
        PICTURES | {"a.json": coco(["0.png", "1.png", "2.png", "7.png"], (0, 1, [ROW]))},
        "file-missing",
        "7.png: is listed in a.json but does not exist",
    ),
    "coco unlisted": (
        PICTURES | {"a.json": coco(["0.png", "1.png"], (0, 1, [ROW]))},
        "not-read",
        "images/2.png: no annotation file lists it",
    ),
    "coco category": (
        PICTURES | {"a.json": coco(["0.png", "1.png", "2.png"], (0, 9, [ROW]))},
        "shape",
        "a.json: annotations[0]: category_id 9 is not among the categories",
    ),
    "yolo box": (
        PICTURES | {"data.yaml": YOLO, "labels/0.txt": b"0 0.5 0.5 0.1 0.1\n"},
        "shape",
        "labels/0.txt: line 1 (scratch): is a box, and boxes are no masks",
    ),
    "yolo pixels": (
        PICTURES | {"data.yaml": YOLO, "labels/0.txt": b"0 10 5 30 5 30 20\n"},
        "shape",
        "labels/0.txt: line 1 (scratch): its points must be parts of width and height, from 0 to 1",
    ),
    "yolo type": (
        PICTURES | {"data.yaml": YOLO, "labels/0.txt": f"7 {LINE}".encode()},
        "shape",
        "labels/0.txt: line 1: type 7 is not among the names",
    ),
    "yolo alone": (
        PICTURES | {"data.yaml": YOLO, "labels/9.txt": f"0 {LINE}".encode()},
        "annotation-alone",
        "labels/9.txt: its picture does not exist",
    ),
}


@pytest.mark.parametrize("case", FAULTY)
def test_what_cannot_be_drawn_is_named_and_its_picture_is_not_good(
    tmp_path: Path, case: str
) -> None:
    files, kind, line = FAULTY[case]
    root = lay_out(str(tmp_path / "plate"), files)
    checked = preparation.check(root, DatasetOptions())
    found = [fault for fault in checked.faults if fault.kind != "nothing-left"]
    assert [(fault.kind, str(fault)) for fault in found] == [(kind, line)]
    assert not any("base64" in str(fault) for fault in checked.faults)
    counted = checked.count(Outlined.unseen(checked))
    wrong = case not in ("lost", "coco lost", "yolo alone")
    assert (counted.present, counted.named) == (3, int(wrong))


def test_a_turned_picture_is_annotated_upright(tmp_path: Path) -> None:
    orientation = Image.Exif()
    orientation[0x0112] = 6
    buffer = io.BytesIO()
    Image.open(io.BytesIO(shot("x"))).convert("RGB").save(buffer, "JPEG", exif=orientation)
    upright = labelme("0.jpg", shape("dent", [[2, 30], [20, 30], [20, 50], [2, 50]]), size=(60, 40))
    lay_out(str(tmp_path), BESIDE | {"0.jpg": buffer.getvalue(), "0.json": upright})
    (folder,) = open_dataset(str(tmp_path))
    (item,) = folder.defects
    mask = read_defect_mask(item.mask, item.mask_rule)
    assert mask.shape == read_picture(item.image).shape[:2] == (60, 40)
    assert mask[30:50, 2:20].all()


def test_test_pictures_of_an_export_are_never_learned_from(tmp_path: Path) -> None:
    files = {"data.yaml": YOLO}
    for part in ("train", "valid", "test"):
        for i in range(4):
            files[f"{part}/images/{i}.png"] = shot(f"{part}{i}")
        files[f"{part}/labels/0.txt"] = f"0 {LINE}".encode()
    lay_out(str(tmp_path), files)
    (folder,) = open_dataset(str(tmp_path))
    assert {item.image.split("/")[-3] for item in folder.defects} == {"train", "valid"}
    assert {item.image.split("/")[-3] for item in folder.held_out} == {"test"}
    assert len(folder.test_good) == 3
