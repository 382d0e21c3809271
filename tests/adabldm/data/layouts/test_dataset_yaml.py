"""A folder of one's own goes in by a small YAML; what is wrong in it is said by field."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.picture_uri import DatasetFault
from adabldm.data import layouts
from adabldm.data.layouts import Listing, Tree
from tests.support.trees import lay_out, named

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
