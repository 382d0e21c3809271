"""Type folders are read with all that is below them, and what is beside them is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adabldm.core import images
from adabldm.core.data_uri import is_data
from adabldm.core.picture_uri import DatasetFault, read_mask
from adabldm.data import layouts
from adabldm.data.layouts import Listing, Tree
from adabldm.data.opening import open_dataset
from tests.support.trees import SIDE, lay_out, mask, mvtec, named, table


def read(root: Path, layout: str = "auto") -> Listing:
    return layouts.read(Tree(str(root)), layout)


def told(listing: Listing) -> list[tuple[str, str, str | None]]:
    return [(p.path, p.part, p.mask) for p in listing.pictures if p.defect]


def findings(listing: Listing) -> set[tuple[str, str]]:
    return {(fault.kind, fault.path) for fault in listing.faults}


def test_pictures_in_subfolders_have_the_masks_of_the_same_path(tmp_path: Path) -> None:
    lines = [f"test/hole/{line}000.png" for line in ("", "line1/", "line2/x/")]
    truth = [f"ground_truth/hole/{line}000_mask.png" for line in ("", "line1/", "line2/x/")]
    files = named("train/good/line1/a/0.png", "train/good/line2/0.png", *lines, *truth)
    lay_out(str(tmp_path), files)
    listing = read(tmp_path)
    assert not listing.faults
    assert told(listing) == [
        (path, "either", wanted) for path, wanted in zip(lines, truth, strict=True)
    ]
    assert sum(p.defect is None for p in listing.pictures) == 2


def test_a_mask_of_another_subfolder_is_no_picture_s(tmp_path: Path) -> None:
    lay_out(str(tmp_path), mvtec(defects={}) | named("test/hole/a/0.png"))
    lay_out(str(tmp_path), named("ground_truth/hole/b/0_mask.png"))
    assert findings(read(tmp_path)) == {
        ("mask-missing", "test/hole/a/0.png"),
        ("mask-alone", "ground_truth/hole/b/0_mask.png"),
    }


def test_defects_among_the_training_pictures_are_learned_from(tmp_path: Path) -> None:
    names = [f"train/hole/{i}.png" for i in range(3)] + [f"test/hole/{i}.png" for i in (7, 8)]
    masks = [f"ground_truth/hole/{i}_mask.png" for i in (0, 1, 7, 8)]
    own = ["train/ground_truth/hole/2_mask.png"]
    lay_out(str(tmp_path), mvtec(defects={"dent": 2}) | named(*names, *masks, *own))
    listing = read(tmp_path)
    assert not listing.faults
    parts = {path: part for path, part, _ in told(listing) if "hole" in path}
    assert parts == {name: "train" if "train" in name else "test" for name in names}
    (folder,) = open_dataset(str(tmp_path))
    learned = {item.image.rpartition("/")[2] for item in folder.defects if item.defect == "hole"}
    assert learned == {"0.png", "1.png", "2.png"}
    assert sum(item.defect == "dent" for item in folder.defects) == 2


def test_a_test_picture_keeps_its_mask_from_a_training_picture_of_its_name(tmp_path: Path) -> None:
    files = named("train/hole/0.png", "test/hole/0.png", "ground_truth/hole/0_mask.png")
    lay_out(str(tmp_path), mvtec(defects={}) | files)
    listing = read(tmp_path)
    assert [path for path, _, _ in told(listing)] == ["test/hole/0.png"]
    assert findings(listing) == {("mask-missing", "train/hole/0.png")}


def test_mvtec_ad_2_is_read_with_lights_of_a_specimen_together(tmp_path: Path) -> None:
    names = [f"can/train/good/{i:03d}_regular.png" for i in range(3)]
    names += ["can/validation/good/000_regular.png", "can/test_public/good/000_regular.png"]
    for light in ("regular", "shift_1"):
        for i in range(4):
            names.append(f"can/test_public/bad/{i:03d}_{light}.png")
            names.append(f"can/test_public/ground_truth/bad/{i:03d}_{light}_mask.png")
    lay_out(str(tmp_path), named(*names, "can/test_private/000_regular.png"))
    listing = read(tmp_path)
    assert listing.layout == "mvtec_ad2"
    assert not listing.faults
    groups = {p.path[-11:]: p.group for p in listing.pictures if p.path.endswith("1_shift_1.png")}
    assert set(groups.values()) == {"test_public/bad/001"}
    assert sum(p.part == "train" for p in listing.pictures) == 4
    said: list[str] = []
    (can,) = open_dataset(str(tmp_path), tell=said.append)
    assert not {item.group for item in can.defects} & {item.group for item in can.held_out}
    assert "masks are not published" in said[0]


def test_all_masks_of_a_loco_picture_are_one(tmp_path: Path) -> None:
    types = ("logical_anomalies", "structural_anomalies")
    pictures = [f"box/test/{kind}/000.png" for kind in types]
    goods = ["box/train/good/000.png", "box/validation/good/000.png", "box/test/good/000.png"]
    lay_out(str(tmp_path), named(*goods, *pictures))
    truth = f"{tmp_path}/box/ground_truth"
    lay_out(f"{truth}/{types[0]}/000", {"000.png": mask(), "001.png": mask(rows=slice(20, 25))})
    lay_out(f"{truth}/{types[1]}/000", {"000.png": mask()})
    listing = read(tmp_path)
    assert listing.layout == "mvtec_loco"
    assert not listing.faults
    logical, structural = (p for p in listing.pictures if p.defect)
    assert logical.mask
    assert is_data(logical.mask)
    assert np.count_nonzero(read_mask(logical.mask)) == 40
    assert structural.mask == f"box/ground_truth/{types[1]}/000/000.png"
    assert len(logical.files) == 3


def test_masks_to_join_must_be_of_one_size(tmp_path: Path) -> None:
    lay_out(str(tmp_path), named("train/good/0.png", "test/logical_anomalies/0.png"))
    masks = {"0.png": mask(), "1.png": mask(SIDE, SIDE + 1)}
    lay_out(f"{tmp_path}/ground_truth/logical_anomalies/0", masks)
    (fault,) = read(tmp_path).faults
    assert fault.kind == "mask-size"
    assert "test/logical_anomalies/0.png" in fault.files


@pytest.mark.parametrize("written", [r"test\crack,000.png", "./test/crack,000.PNG"])
def test_an_index_may_be_written_on_another_system(tmp_path: Path, written: str) -> None:
    index = f"sub,file,group\n{written},part0\n".encode()
    lay_out(str(tmp_path), mvtec() | {"index.csv": index})
    listing = read(tmp_path)
    assert not listing.faults
    assert [p.path for p in listing.pictures if p.group == "part0"] == ["test/crack/000.png"]


def test_lines_of_an_index_that_fit_nothing_are_one_fault(tmp_path: Path) -> None:
    rows = [("test/crack", "000.png", "1"), ("test/crack", "900.png", "1"), ("gone", "1.png", "2")]
    lay_out(str(tmp_path), mvtec() | {"index.csv": table("sub,file,group", rows)})
    (fault,) = read(tmp_path).faults
    assert str(fault) == (
        "index.csv: 2 of 3 lines name no file that is there, as 'test/crack/900.png'"
    )


def test_an_index_may_have_the_columns_of_a_table_of_groups(tmp_path: Path) -> None:
    rows = [("test/crack/000.png", "1"), ("test/crack/001.png", "1")]
    lay_out(str(tmp_path), mvtec("nut/") | {"nut/index.csv": table("image,group", rows)})
    assert sum(p.group == "1" for p in read(tmp_path).pictures) == 2


def test_an_output_is_told_to_lack_good_pictures(tmp_path: Path) -> None:
    files = {name: data for name, data in mvtec("nut/").items() if "train" not in name}
    lay_out(str(tmp_path), files | {"run.json": b"{}", "index/part.parquet": b"?"})
    for layout in ("auto", "mvtec"):
        with pytest.raises(DatasetFault, match=r"output of `adabldm generate`: has no good pict"):
            read(tmp_path, layout)


def test_what_is_there_is_said_of_a_folder_of_no_layout(tmp_path: Path) -> None:
    lay_out(str(tmp_path), named("a/1.png", "b/2.png") | {"a/notes.txt": b""})
    with pytest.raises(DatasetFault, match=r"holds 3 files, 2 of them pictures, in folders a, b"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone", "there is no such folder"), ("a.zip", "is a file: unpack it"), ("b.png", "is a fil")],
)
def test_what_is_no_folder_is_refused_as_what_it_is(
    tmp_path: Path, name: str, message: str
) -> None:
    lay_out(str(tmp_path), {"a.zip": b"PK", "b.png": images.encode_png(np.zeros((3, 3), np.uint8))})
    with pytest.raises(DatasetFault, match=message):
        read(tmp_path / name)
