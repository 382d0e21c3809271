"""A data set in a known layout is recognised and read whole, on any file system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adabldm.core import images, picture_uri
from adabldm.core.picture_uri import DatasetFault
from adabldm.data import layouts
from adabldm.data.layouts import Listing, Tree, ksdd2
from adabldm.data.opening import open_dataset
from tests.support.trees import lay_out, mask, mvtec, named, picture, table

BTAD = named(
    "01/train/ok/0000.png",
    "01/test/ok/0001.png",
    "01/test/ko/0002.png",
    "01/ground_truth/ko/0002_mask.png",
    "03/train/ok/0000.png",
    "03/test/ko/0007.png",
) | {"03/ground_truth/ko/0007.png": mask()}

TALL = (96, 32)
KSDD2 = {
    "train/10000.png": picture("10000", *TALL),
    "train/10000_GT.png": images.encode_png(np.zeros(TALL, np.uint8)),
    "train/10001.png": picture("10001", *TALL),
    "train/10001_GT.png": mask(*TALL, rows=slice(5, 15)),
    "test/20000.png": picture("20000", *TALL),
    "test/20000_GT.png": mask(*TALL, rows=slice(80, 90)),
}

VISA_ROWS = (
    ("candle", "train", "normal", "candle/Data/Images/Normal/0.JPG", ""),
    ("candle", "test", "normal", "candle/Data/Images/Normal/1.JPG", ""),
    ("candle", "test", "anomaly", "candle/Data/Images/Anomaly/0.JPG",
     "candle/Data/Masks/Anomaly/0.png"),
    ("candle", "test", "anomaly", "candle/Data/Images/Anomaly/1.JPG",
     "candle/Data/Masks/Anomaly/1.png"),
)  # fmt: skip
VISA_SPLIT = {"split_csv/1cls.csv": table("object,split,label,image,mask", VISA_ROWS)}
VISA_TYPES = {
    "candle/image_anno.csv": table(
        "image,label,mask",
        [
            (VISA_ROWS[0][3], "normal", ""),
            (VISA_ROWS[1][3], "normal", ""),
            (VISA_ROWS[2][3], "wax melded out", VISA_ROWS[2][4]),
            (VISA_ROWS[3][3], '"extra wax,chunk missing"', VISA_ROWS[3][4]),
        ],
    )
}
VISA_FILES = {row[3]: picture(row[3]) for row in VISA_ROWS} | {
    row[4]: mask() for row in VISA_ROWS if row[4]
}
PLAIN = named("ok/1.png", "ng/7.png", "ng_masks/7.png") | {
    "dataset.yaml": b"good: ok/*.png\ndefects: {dent: {images: ng/*, masks: 'ng_masks/{stem}.png'}}"
}
TREES = {
    "mvtec": mvtec(),
    "btad": BTAD,
    "ksdd2": KSDD2,
    "visa": VISA_FILES | VISA_SPLIT,
    "plain": PLAIN,
}


@pytest.fixture(params=["file", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "file":
        return str(tmp_path / "data")
    return f"memory://{tmp_path.name}/data"


def read(root: str, layout: str = "auto") -> Listing:
    return layouts.read(Tree(root), layout)


def told(listing: Listing) -> list[tuple[str, str, str | None, str]]:
    return [(p.object, p.path, p.defect, p.part) for p in listing.pictures]


@pytest.mark.parametrize("layout", TREES)
def test_the_layout_is_recognised_and_every_picture_can_be_read(root: str, layout: str) -> None:
    lay_out(root, TREES[layout])
    listing = read(root)
    assert listing.layout == layout
    assert not listing.faults
    for folder in open_dataset(root):
        assert folder.good
        assert folder.defects
        for item in (*folder.defects, *folder.held_out):
            image = picture_uri.read_picture(item.image)
            truth = picture_uri.read_picture(item.mask, "L")
            assert image.shape == (*truth.shape, 3)
            assert truth.any()


@pytest.mark.parametrize("layout", TREES)
def test_a_data_set_in_object_storage_is_read_as_one_on_disk(
    s3: str, tmp_path: Path, layout: str
) -> None:
    here = lay_out(str(tmp_path / "set"), TREES[layout])
    there = lay_out(f"{s3}/set", TREES[layout])
    assert read(here) == read(there)
    (first, *_) = open_dataset(there)
    assert first.good[0].startswith("s3://")
    assert picture_uri.read_picture(first.good[0]).ndim == 3


def test_btad_has_numbered_objects_with_one_type(root: str) -> None:
    lay_out(root, BTAD)
    assert told(read(root)) == [
        ("01", "01/train/ok/0000.png", None, "train"),
        ("01", "01/test/ok/0001.png", None, "test"),
        ("01", "01/test/ko/0002.png", "ko", "either"),
        ("03", "03/train/ok/0000.png", None, "train"),
        ("03", "03/test/ko/0007.png", "ko", "either"),
    ]


def test_hidden_files_and_folders_that_are_no_objects_are_not_seen(root: str) -> None:
    extra = named("nut/train/good/._000.png", "scripts/a.png", "__MACOSX/nut/train/good/0.png")
    lay_out(root, mvtec("nut/") | extra | {"nut/train/good/Thumbs.db": b"x"})
    assert {p.object for p in read(root).pictures} == {"nut"}
    assert sum(p.part == "train" for p in read(root).pictures) == 3


def test_the_specimen_of_each_picture_is_read_from_the_objects_index(root: str) -> None:
    rows = [("test/crack", "000.png", "7"), ("test/good", "001.png", "7"), ("train/good", "x", "9")]
    lay_out(root, mvtec("nut/") | {"nut/index.csv": table("sub,file,tile_group", rows)})
    groups = {p.path: p.group for p in read(root).pictures if p.group}
    assert groups == {"nut/test/crack/000.png": "7", "nut/test/good/001.png": "7"}


def test_tall_pictures_are_cut_into_first_middle_and_last_square() -> None:
    assert [box.fragment for box in ksdd2.squares(630, 230)] == [
        "#xywh=0,0,230,230",
        "#xywh=0,200,230,230",
        "#xywh=0,400,230,230",
    ]
    assert [box.fragment for box in ksdd2.squares(100, 110)] == ["#xywh=5,0,100,100"]
    assert [box.x for box in ksdd2.squares(50, 150)] == [0, 50, 100]


def test_squares_without_a_defect_are_good_and_stay_with_their_picture(root: str) -> None:
    lay_out(root, KSDD2)
    found = told(read(root, "ksdd2"))
    assert ("data", "train/10000.png#xywh=0,32,32,32", None, "train") in found
    assert ("data", "train/10001.png#xywh=0,0,32,32", "defect", "either") in found
    assert ("data", "train/10001.png#xywh=0,64,32,32", None, "either") in found
    assert ("data", "test/20000.png#xywh=0,64,32,32", "defect", "test") in found
    (folder,) = open_dataset(root)
    assert [item.image.partition("train/")[2] for item in folder.defects] == [
        "10001.png#xywh=0,0,32,32"
    ]
    assert len(folder.good) == 5  # three of 10000, and two of the one that is learned from
    assert len(folder.held_out) == 1
    assert all("test/20000" in uri for uri in folder.test_good)
    assert len(folder.test_good) == 2


def test_a_square_with_a_sliver_of_a_defect_is_neither_good_nor_defective(root: str) -> None:
    rows = slice(1, 33)  # one row of 32 is in the second square
    lay_out(root, KSDD2 | {"train/10001_GT.png": mask(*TALL, rows=rows)})
    listing = read(root)
    paths = [p.path for p in listing.pictures if "10001" in p.path]
    assert paths == ["train/10001.png#xywh=0,0,32,32", "train/10001.png#xywh=0,64,32,32"]
    assert listing.remarks == ("squares with less than 5% of a defect, not used: 1",)


def test_visa_has_its_types_from_one_table_and_its_parts_from_the_other(root: str) -> None:
    lay_out(root, VISA_FILES | VISA_SPLIT | VISA_TYPES)
    assert [(p.defect, p.part) for p in read(root).pictures] == [
        (None, "train"),
        (None, "test"),
        ("wax_melded_out", "either"),
        ("chunk_missing_and_extra_wax", "either"),
    ]


def test_one_of_visas_tables_is_enough(root: str) -> None:
    lay_out(root, VISA_FILES | VISA_SPLIT)
    assert [p.defect for p in read(root).pictures] == [None, None, "anomaly", "anomaly"]
    lay_out(f"{root}2", VISA_FILES | VISA_TYPES)
    assert [p.part for p in read(f"{root}2").pictures] == ["train", "train", "either", "either"]
    lay_out(f"{root}3/candle", {k.removeprefix("candle/"): v for k, v in VISA_FILES.items()})
    lay_out(f"{root}3", VISA_TYPES)
    (folder,) = open_dataset(f"{root}3/candle")
    assert folder.name == "candle"
    assert len(folder.good) == 2


def test_what_a_table_names_must_be_there(root: str) -> None:
    gone = VISA_ROWS[2][4]
    files = {name: data for name, data in VISA_FILES.items() if name != gone}
    lay_out(root, files | VISA_SPLIT)
    (fault,) = read(root).faults
    assert str(fault) == f"{gone}: is named in split_csv/1cls.csv but does not exist"
    with pytest.raises(DatasetFault, match=r"Masks/Anomaly/0\.png: is named in"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("change", "kind", "path"),
    [
        ({"train/10000_GT.png": None}, "mask-missing", "train/10000.png"),
        ({"train/10000.png": None}, "mask-alone", "train/10000_GT.png"),
        ({"train/10001_GT.png": b"no"}, "unreadable", "train/10001_GT.png"),
    ],
)
def test_a_fault_of_ksdd2_is_named(root: str, change: dict, kind: str, path: str) -> None:
    files = {name: data for name, data in (KSDD2 | change).items() if data is not None}
    lay_out(root, files)
    assert [(fault.kind, fault.path) for fault in read(root).faults] == [(kind, path)]


def test_a_folder_of_no_known_layout_is_refused_with_what_was_looked_for(root: str) -> None:
    lay_out(root, {"pictures/1.png": picture("1")})
    with pytest.raises(DatasetFault, match=r"no dataset\.yaml \(plain\).*no train/ok \(btad\)"):
        read(root)
    with pytest.raises(DatasetFault, match=r"no train/good below it \(mvtec layout\)"):
        read(root, "mvtec")
    with pytest.raises(DatasetFault, match="layout 'voc' is not one of auto, plain, visa"):
        read(root, "voc")
    with pytest.raises(DatasetFault, match="cannot be listed"):
        read("nowhere://data")


def test_linked_folders_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    lay_out(str(tmp_path / "store"), mvtec("nut/"))
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for part in ("train", "test", "ground_truth"):
            (tmp_path / "set" / name / part).symlink_to(tmp_path / "store" / "nut" / part)
    (tmp_path / "store/nut/test/back").symlink_to(tmp_path / "set")
    (tmp_path / "set/b/lost.png").symlink_to(tmp_path / "nothing")
    listing = read(str(tmp_path / "set"))
    assert {p.object for p in listing.pictures} == {"a", "b"}
    assert len(listing.pictures) == 2 * 9
