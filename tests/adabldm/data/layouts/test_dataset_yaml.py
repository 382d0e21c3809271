"""A folder of one's own goes in by a small YAML; what is wrong in it is said by field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adabldm.core import images
from adabldm.core.picture_uri import DatasetFault, read_defect_mask, read_mask
from adabldm.data import layouts, preparation
from adabldm.data.layouts import Listing, Tree
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from tests.support.trees import SIDE, lay_out, named, picture

FILES = named(
    "ok/a/1.png",
    "ok/b/2.png",
    "later/3.png",
    "ng/scratch/7.png",
    "ng/scratch/7.truth.png",
    "other/8.png",
    "other/8_mask.png",
)
SETTINGS = """
name: bracket
surface: texture
good: [ok/a/*.png, "ok/b/**/*.png"]
test_good: later/*.png
defects:
  scratch: {images: ng/scratch/*.png, masks: "{folder}/{stem}.truth.png"}
table: extra.csv
"""
EXTRA = """image,defect,mask,group,caption
ok/a/1.png,,,g1,
ng/scratch/7.png,,,g7,"a long, thin scratch"
other/8.png,dent,other/8_mask.png,g7,
"""


def read(folder: Path, settings: str = SETTINGS, table: str = EXTRA) -> Listing:
    texts = {"dataset.yaml": settings.encode(), "extra.csv": table.encode()}
    return layouts.read(Tree(lay_out(str(folder), FILES | texts)))


def test_patterns_and_table_together_name_the_pictures(tmp_path: Path) -> None:
    listing = read(tmp_path)
    assert not listing.faults
    assert listing.surfaces == (("bracket", "texture"),)
    found = {p.path: (p.part, p.defect, p.mask, p.group, p.caption) for p in listing.pictures}
    assert found == {
        "ok/a/1.png": ("train", None, None, "g1", None),
        "ok/b/2.png": ("train", None, None, None, None),
        "later/3.png": ("test", None, None, None, None),
        "ng/scratch/7.png": (
            "either",
            "scratch",
            "ng/scratch/7.truth.png",
            "g7",
            "a long, thin scratch",
        ),
        "other/8.png": ("either", "dent", "other/8_mask.png", "g7", None),
    }
    assert {p.object for p in listing.pictures} == {"bracket"}


def test_several_objects_are_a_list(tmp_path: Path) -> None:
    listing = read(tmp_path, "objects: [{name: a, good: ok/a/*}, {name: b, good: ok/b/*}]")
    assert [(p.object, p.path) for p in listing.pictures] == [
        ("a", "ok/a/1.png"),
        ("b", "ok/b/2.png"),
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("[1, 2]", "the file: .*: must be a mapping of names"),
        ("a: {", "dataset.yaml: is not YAML"),
        ("goods: ok/*", "'goods': is not one of name, surface, good"),
        ("name: 1", r"name: 1: must be text \(put it in quotes\)"),
        ("surface: shiny", "surface: 'shiny': must be object or texture"),
        ("good: 3", "good: 3: must be a pattern or a list of patterns"),
        ("good: ../*.png", "must be inside the data set's folder"),
        ("good: /etc/*.png", "must be inside the data set's folder"),
        ("defects: [dent]", "defects: .*: must be a mapping of names"),
        ("defects: {dent: {images: ng/*}}", "defects.dent: .*: must have 'masks'"),
        ("defects: {dent: {images: n/*, masks: m/*}}", "must be a path with {stem} in it"),
        ("defects: {dent: {images: n/*, masks: '{stem}{x}'}}", "knows only {stem}, {folder}"),
        ("table: none.csv", "table: 'none.csv': must be the path of a CSV below here"),
        ("objects: {a: 1}", "must be a list, and alone"),
        ("objects: [{name: a}, {name: a}]", "must have names of their own"),
        ("objects: [{name: a}, {nane: b}]", r"objects\[1\].: 'nane': is not one of"),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(tmp_path: Path, settings: str, message: str) -> None:
    with pytest.raises(DatasetFault, match=message):
        read(tmp_path, settings)


def test_pictures_that_cannot_be_used_are_faults(tmp_path: Path) -> None:
    settings = """
good: [ok/a/*, nothing/*]
test_good: ok/a/*
defects:
  scratch: {images: other/8.png, masks: "gone/{stem}.png"}
table: extra.csv
"""
    rows = "lost.png,,,\nother/8.png,dent,,\nok/b/2.png,,,later\n"
    faults = read(tmp_path, settings, "image,defect,mask,part\n" + rows).faults
    assert {(fault.kind, fault.path) for fault in faults} == {
        ("empty-folder", "nothing/*"),
        ("listed-twice", "ok/a/1.png"),
        ("mask-missing", "other/8.png"),
        ("file-missing", "lost.png"),
        ("listed-wrong", "ok/b/2.png"),
    }


def test_a_table_without_its_first_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetFault, match=r"extra\.csv: its first line must name"):
        read(tmp_path, "good: ok/a/*\ntable: extra.csv", "ok/a/1.png,g1\n")


NUMBERED = """
good: ok/a/*.png
defects:
  scratch: {images: "ng/*.png", masks: "ids/{stem}.png", value: 1}
  dust: {images: "ng/*.png", masks: "ids/{stem}.png", value: [2, 3]}
"""


def numbers(*values: int) -> bytes:
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    for place, value in enumerate(values):
        pixels[4 + 8 * place : 8 + 8 * place, 4:10] = value
    return images.encode_png(pixels)


def numbered(root: Path, **masks: bytes) -> str:
    files = {f"ng/{name}.png": picture(name) for name in masks}
    files |= {f"ids/{name}.png": data for name, data in masks.items()}
    goods = {f"ok/a/{i}.png": picture(f"ok{i}") for i in range(3)}
    return lay_out(str(root), files | goods | {"dataset.yaml": NUMBERED.encode()})


def test_one_mask_may_number_the_types(tmp_path: Path) -> None:
    root = numbered(tmp_path, a=numbers(1, 2), b=numbers(1), c=numbers(3, 2), d=numbers(9))
    listing = layouts.read(Tree(root))
    found = {(p.path, p.defect): str(p.mask_rule) for p in listing.pictures if p.defect}
    assert found == {
        ("ng/a.png", "scratch"): "value:1",
        ("ng/a.png", "dust"): "value:2,3",
        ("ng/b.png", "scratch"): "value:1",
        ("ng/c.png", "dust"): "value:2,3",
    }
    (fault,) = listing.faults
    assert (fault.kind, fault.path, fault.files) == ("mask-empty", "ids/d.png", ("ng/d.png",))


def test_the_masks_of_numbered_types_hold_their_own_pixels(tmp_path: Path) -> None:
    (folder,) = open_dataset(numbered(tmp_path, a=numbers(1, 2)))
    rows = {
        item.defect: np.flatnonzero(read_defect_mask(item.mask, item.mask_rule).any(axis=1))
        for item in folder.defects
    }
    assert rows["scratch"].tolist() == [4, 5, 6, 7]
    assert rows["dust"].tolist() == [12, 13, 14, 15]


@pytest.mark.parametrize("value", ["x", "0", "[]", "true", "-1", "1.5"])
def test_a_value_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    settings = f"defects: {{dent: {{images: ng/*, masks: '{{stem}}', value: {value}}}}}"
    with pytest.raises(DatasetFault, match=r"defects\.dent\.value"):
        read(tmp_path, settings)


def test_own_object_masks_are_where_the_object_is(tmp_path: Path) -> None:
    settings = """
good: ok/a/*.png
test_good: later/*.png
object_masks: parts/{stem}.png
defects: {dent: {images: other/8.png, masks: "other/{stem}_mask.png"}}
"""
    part = np.zeros((SIDE, SIDE), np.uint8)
    part[2:30, 2:30] = 255
    lay_out(str(tmp_path), {"parts/1.png": images.encode_png(part)})
    lay_out(str(tmp_path), {"parts/3.png": images.encode_png(part[:20])})
    listing = read(tmp_path, settings)
    masks = {p.path: p.foreground for p in listing.pictures}
    assert masks == {
        "ok/a/1.png": "parts/1.png", "later/3.png": "parts/3.png", "other/8.png": None,
    }  # fmt: skip
    (folder,) = open_dataset(str(tmp_path), tell=lambda _: None)
    assert read_mask(folder.foreground[folder.good[0]]).sum() == 255 * 28 * 28
    checked = preparation.check(str(tmp_path), DatasetOptions())
    (fault,) = (fault for fault in checked.faults if fault.kind != "not-read")
    assert (fault.kind, fault.path) == ("object-mask", "parts/3.png")


def test_a_good_picture_without_its_object_mask_is_a_fault(tmp_path: Path) -> None:
    (fault,) = read(tmp_path, "good: ok/a/*\nobject_masks: 'parts/{stem}.png'").faults
    assert str(fault) == "ok/a/1.png: its object mask parts/1.png does not exist"


def test_a_picture_may_have_two_types_with_masks_of_their_own(tmp_path: Path) -> None:
    rows = "image,defect,mask,group\nng/scratch/7.png,dent,other/8_mask.png,g7\n"
    listing = read(tmp_path, SETTINGS, rows)
    assert not listing.faults
    found = {p.defect: p.mask for p in listing.pictures if p.path == "ng/scratch/7.png"}
    assert found == {"scratch": "ng/scratch/7.truth.png", "dent": "other/8_mask.png"}


def test_paths_may_be_written_in_another_spelling(tmp_path: Path) -> None:
    settings = "good: ./ok\\a\\*.PNG\ntable: Extra.csv".replace("Extra", "extra")
    rows = "image,defect,mask,group\nok\\a\\1.png,,,g\n./other/8.PNG,dent,other\\8_mask.png,h\n"
    listing = read(tmp_path, settings, rows)
    assert not listing.faults
    assert {(p.path, p.group) for p in listing.pictures} == {
        ("ok/a/1.png", "g"),
        ("other/8.png", "h"),
    }
