"""Data sets in MVTec layout are listed whole, on any file system, or refused by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from adabldm.core import images, picture_uri
from adabldm.core.picture_uri import DatasetFault
from tests.support.reading import read_mvtec

GREY = images.encode_png(np.full((8, 8), 90, np.uint8))


def lay_out(root: str, *names: str) -> None:
    for name in names:
        with fsspec.open(f"{root}/{name}", "wb", auto_mkdir=True) as handle:
            handle.write(GREY)


NUT = (
    "train/good/b.png",
    "train/good/a.PNG",
    "test/good/x.jpg",
    "test/crack/7.jpg",
    "ground_truth/crack/7_mask.png",
    "test/deep_hole/8.png",
    "ground_truth/deep_hole/8_mask.png",
)


@pytest.fixture(params=["file", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "file":
        return str(tmp_path / "data")
    return f"memory://{tmp_path.name}/data"


def test_one_objects_folder_is_listed_in_order(root: str) -> None:
    lay_out(f"{root}/nut", *NUT, "train/good/notes.txt", "readme.md")
    for uri in (f"{root}/nut", f"{root}/nut/"):
        (nut,) = read_mvtec(uri)
        assert nut.name == "nut"
        assert [Path(uri).name for uri in nut.good] == ["a.PNG", "b.png"]
        assert [Path(uri).name for uri in nut.test_good] == ["x.jpg"]
        assert nut.defect_types == ["crack", "deep_hole"]
        for item in nut.defects:
            with fsspec.open(item.mask) as handle:
                assert handle.read() == GREY


def test_a_root_of_several_objects_lists_each_and_skips_the_rest(root: str) -> None:
    lay_out(f"{root}/nut", *NUT)
    lay_out(f"{root}/bolt", "train/good/a.png")
    lay_out(f"{root}/scripts", "run.sh")
    assert [folder.name for folder in read_mvtec(root)] == ["bolt", "nut"]


def test_a_defect_without_its_mask_is_named(root: str) -> None:
    lay_out(f"{root}/nut", *NUT, "test/crack/9.jpg")
    with pytest.raises(DatasetFault, match=r"crack/9\.jpg: its mask .*9_mask\.png does not exist"):
        read_mvtec(f"{root}/nut")


@pytest.mark.parametrize("present", [(), ("test/crack/1.png",), ("train/a.png",)])
def test_a_folder_that_is_no_data_set_is_named(root: str, present: tuple[str, ...]) -> None:
    lay_out(f"{root}/nut", *present)
    with pytest.raises(DatasetFault, match=r"no train/good below it|there is no such folder"):
        read_mvtec(f"{root}/nut")


def test_a_part_of_a_picture_is_read_by_its_fragment(root: str) -> None:
    pixels = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12)
    with fsspec.open(f"{root}/a#1.png", "wb", auto_mkdir=True) as handle:
        handle.write(images.encode_png(pixels))
    uri = f"{root}/a#1.png"
    assert np.array_equal(picture_uri.read_picture(uri, "L"), pixels)
    part = picture_uri.Box(x=3, y=2, width=5, height=4)
    assert np.array_equal(picture_uri.read_picture(uri + part.fragment, "L"), pixels[2:6, 3:8])
    assert picture_uri.read_picture(uri + part.fragment).shape == (4, 5, 3)
    assert picture_uri.split_fragment(uri + part.fragment) == (uri, part)


def test_a_picture_that_cannot_be_read_is_named(root: str) -> None:
    lay_out(root, "a.png")
    with fsspec.open(f"{root}/b.png", "wb") as handle:
        handle.write(GREY[:48])
    for name, rule in (
        ("a.png#xywh=0,0,9,8", "is not inside its picture of 8 x 8 pixels"),
        ("a.png#xywh=4,4,0,2", "is not inside its picture"),
        ("b.png", "the picture's data is broken"),
        ("c.png", "does not exist"),
    ):
        with pytest.raises(DatasetFault, match=f"{name}: {rule}"):
            picture_uri.read_picture(f"{root}/{name}")
    with pytest.raises(DatasetFault, match="cannot be read"):
        picture_uri.read_picture("nowhere://a.png")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(picture_uri.DatasetFault, match="cannot be read: is not a file"):
            picture_uri.read_picture(str(tmp_path / name))
