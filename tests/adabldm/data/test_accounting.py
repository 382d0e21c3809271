"""Nothing is skipped in silence: files that are present are used, or named with a reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from adabldm.core.picture_uri import DatasetFault
from adabldm.data import accounting, preparation
from adabldm.data.layouts import DatasetFinding
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.data.preparation import CheckedDataset, Outlined
from tests.support.broken import lay_out_broken
from tests.support.trees import lay_out, mask, mvtec, named, picture


def check(root: Path | str) -> CheckedDataset:
    return preparation.check(str(root), DatasetOptions())


def figures(checked: CheckedDataset) -> tuple[int, int, int, int]:
    found = checked.count(Outlined.unseen(checked))
    assert found.present == found.used + found.left_out + found.named
    return found.present, found.used, found.left_out, found.named


def kinds(checked: CheckedDataset) -> dict[str, str]:
    return {fault.path: fault.kind for fault in checked.faults}


def test_all_files_of_a_sound_set_are_used_and_papers_are_no_faults(tmp_path: Path) -> None:
    papers = ("README.md", "license.txt", ".DS_Store", "test/crack/Thumbs.db", "train/good/._1.png")
    lay_out(str(tmp_path), mvtec() | dict.fromkeys(papers, b"x"))
    checked = check(tmp_path)
    assert not checked.faults
    assert figures(checked) == (13, 13, 0, 0)
    (remark,) = checked.remarks
    assert remark.startswith("not-a-picture: 5 files, as ")


def test_what_lies_beside_the_folders_that_are_read_is_named_with_its_reason(
    tmp_path: Path,
) -> None:
    beside = named("bolt/pictures/1.png", "nut/extra/2.png", "nut/test/3.png", "4.png")
    lay_out(str(tmp_path), mvtec("nut/") | beside | {"nut/raw/5.heic": b"x", "more.zip": b"PK"})
    checked = check(tmp_path)
    found = kinds(checked)
    assert found == dict.fromkeys(beside, "not-read") | {
        "nut/raw/5.heic": "unread-type",
        "more.zip": "archive",
    }
    (bolt,) = (fault for fault in checked.faults if "bolt" in fault.path)
    assert bolt.rule == "bolt has no train/good, so it is no object"
    assert figures(checked) == (18, 13, 0, 5)


def test_a_file_that_falls_with_another_is_counted_with_it(tmp_path: Path) -> None:
    checked = check(lay_out_broken(str(tmp_path / "nut")))
    present, used, _, named_files = figures(checked)
    assert (used, present - used) == (13, named_files)
    known = {fault.path for fault in checked.faults} | {
        file for fault in checked.faults for file in fault.files
    }
    gone = {path for path in checked.tree.sizes if path.endswith((".png", ".jpg", ".gif"))}
    gone -= {file for found in checked.pictures for file in found.picture.files}
    assert {p for p in gone if p not in known and not p.startswith("ground_truth/lost")} == set()


def test_a_raw_data_set_tells_what_it_does_not_read_and_refuses_what_is_wrong(
    tmp_path: Path,
) -> None:
    lay_out(str(tmp_path), mvtec("nut/") | named(*(f"bolt/{i}.png" for i in range(9))))
    said: list[str] = []
    assert len(open_dataset(str(tmp_path), tell=said.append)) == 1
    assert len(said) == 1
    assert "not-read       9 times, as bolt/0.png: bolt has no train/good" in said[0]
    for i in range(7):
        lay_out(str(tmp_path), named(f"nut/test/crack/x{i}.png"))
    with pytest.raises(DatasetFault) as refused:
        open_dataset(str(tmp_path), tell=said.append)
    lines = str(refused.value).splitlines()
    assert len(lines) == 3
    assert "mask-missing   7 times, as nut/test/crack/x0.png: its mask" in lines[0]
    assert "`adabldm prepare` lists them all" in lines[-1]


def test_few_findings_of_a_kind_are_told_singly_and_many_in_a_line() -> None:
    few = [DatasetFinding("broken", f"{i}.png", "is broken") for i in range(3)]
    many = [DatasetFinding("too-small", f"{i}.png", "is small") for i in range(70)]
    told = accounting.lines([*few, *many])
    assert len(told) == 4
    assert told[-1] == "too-small      70 times, as 0.png: is small; also 1.png"


def test_faults_csv_has_every_file_of_a_kind(tmp_path: Path) -> None:
    lay_out(str(tmp_path), mvtec("nut/") | named(*(f"bolt/{i}.png" for i in range(9))))
    rows = list(csv.DictReader(preparation.faults_csv(check(tmp_path).faults).decode().split()))
    assert len(rows) == 9


@pytest.mark.parametrize("names", [("good",), ("Good",), ("Dent", "dent")])
def test_types_that_would_be_one_folder_are_refused_by_name(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    files = named("ok/0.png", "ng/1.png", "ng/2.png", "ng/3.png")
    masks = {f"m/{i}.png": mask() for i in (1, 2, 3)}
    types = "".join(
        f"  {name}: {{images: ng/{i}.png, masks: 'm/{{stem}}.png'}}\n"
        for i, name in enumerate((*names, "scratch"), 1)
    )
    settings = f"good: ok/*\ndefects:\n{types}".encode()
    lay_out(str(tmp_path / "nut"), files | masks | {"dataset.yaml": settings})
    checked = check(tmp_path / "nut")
    found = {fault.path for fault in checked.faults if fault.kind == "name"}
    assert found == {f"nut: {name}" for name in names}
    assert {f.picture.defect for f in checked.pictures} == {None, "scratch"}
    figures(checked)
    with pytest.raises(DatasetFault, match="cannot name a folder"):
        open_dataset(str(tmp_path / "nut"))


def test_objects_of_one_name_but_for_its_case_are_refused(tmp_path: Path) -> None:
    lay_out(str(tmp_path), mvtec("Nut/") | mvtec("bolt/", good=4))
    pictures = {f"nut/{name}": picture(f"x{name}") for name in mvtec()}
    pictures |= {name: mask() for name in pictures if "mask" in name}
    lay_out(str(tmp_path), pictures)
    checked = check(tmp_path)
    assert {f.path for f in checked.faults if f.kind == "name"} == {"Nut", "nut"}
    figures(checked)


def test_copies_of_a_picture_in_two_type_folders_are_one_specimen(tmp_path: Path) -> None:
    lay_out(str(tmp_path), mvtec(defects={"dent": 6, "scratch": 6}))
    for i in range(6):
        both = picture(f"both {i}")
        lay_out(str(tmp_path), {f"test/{kind}/{i:03d}.png": both for kind in ("dent", "scratch")})
    checked = preparation.check(str(tmp_path), DatasetOptions(shots=3))
    assert not checked.faults
    sides = {key: side for key, side in checked.sides.items() if key[1]}
    assert len(sides) == 12
    for i in range(6):
        pair = {sides[f"test/{kind}/{i:03d}.png", kind] for kind in ("dent", "scratch")}
        assert pair == {"held_out"} or "held_out" not in pair
    (raw,) = open_dataset(str(tmp_path), DatasetOptions(shots=3))
    assert {(d.image[-12:], d.defect) for d in raw.defects} == {
        (path[-12:], kind) for (path, kind), side in sides.items() if side == "few"
    }


def test_copies_among_one_type_or_among_good_pictures_are_faults(tmp_path: Path) -> None:
    twin = picture("twin")
    files = {"test/crack/000.png": twin, "test/crack/001.png": twin, "train/good/000.png": twin}
    lay_out(str(tmp_path), mvtec() | files)
    checked = check(tmp_path)
    assert [(f.kind, f.path) for f in checked.faults] == [
        ("same-picture", "test/crack/001.png"),
        ("same-picture", "train/good/000.png"),
    ]
    figures(checked)


def test_nothing_usable_is_told_in_a_line_a_kind(tmp_path: Path) -> None:
    lay_out(str(tmp_path), {f"train/good/{i}.png": b"?" for i in range(30)})
    with pytest.raises(InputFault) as refused:
        check(tmp_path)
    assert len(refused.value.lines) == 3
    assert "30 times, as train/good/0.png: not a readable picture" in refused.value.lines[2]
