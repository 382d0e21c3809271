"""Data sets as real work brings them: what ``prepare`` says of each, and that its count adds up."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from jobs import cli

CASES = {
    "exif_90": (14, 0, ""),
    "exif_90_square": (14, 0, ""),
    "alpha_cutout": (16, 0, "mask-alpha     4 times"),
    "alpha_white": (16, 0, "mask-alpha     4 times"),
    "mask_inverted": (8, 8, "mask-polarity  4 times"),
    "mask_was_jpeg": (16, 0, "mask-soft      4 times"),
    "mask_upsampled": (16, 0, "mask-soft      4 times"),
    "multi_class": (6, 12, "mask-classes   6 times"),
    "nested": (35, 0, ""),
    "nested_all": (22, 0, ""),
    "train_defects": (24, 0, ""),
    "mvtec_ad2": (20, 0, "mvtec_ad2 layout"),
    "two_types_mvtec": (22, 0, ""),
    "groups_backslash": (24, 0, ""),
}
"""Files used, files named, and a line that is there."""


def prepared(shared: Path, case: str, output: Path) -> str:
    (root,) = [one for one in (shared / "cases" / case).iterdir() if one.is_dir()]
    command = ["prepare", str(root), "--no-foreground", "--output", str(output)]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("case", CASES)
def test_every_file_is_used_or_named(case: str, shared: Path, tmp_path: Path) -> None:
    used, named, line = CASES[case]
    told = prepared(shared, case, tmp_path / "out")
    assert f"of {used + named} picture files {used} used, {named} named" in told
    assert line in told
    if named:
        kinds = {row.partition(",")[0] for row in (tmp_path / "out/faults.csv").open()}
        assert line.split()[0] in kinds


@pytest.mark.parametrize("case", ["exif_90", "exif_90_square"])
def test_a_turned_picture_has_its_defect_under_its_mask(
    case: str, shared: Path, tmp_path: Path
) -> None:
    from adabldm.core.picture_uri import read_defect_mask, read_picture

    prepared(shared, case, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out/dataset.parquet").to_pylist()
    for row in rows:
        if row["mask"]:
            picture = read_picture(row["image"], "L").astype(int)
            mask = read_defect_mask(row["mask"]) > 0
            assert (row["height"], row["width"]) == picture.shape == mask.shape
            assert picture[~mask].mean() - picture[mask].mean() > 60


def test_no_specimen_is_on_both_sides_whatever_its_paths_look_like(
    shared: Path, tmp_path: Path
) -> None:
    prepared(shared, "groups_backslash", tmp_path / "out")
    rows = pq.read_table(tmp_path / "out/dataset.parquet").to_pylist()
    sides: dict[str, set[str]] = {}
    for row in rows:
        if row["defect"]:
            assert re.fullmatch(r"part\d", row["group"])
            sides.setdefault(row["group"], set()).add(row["side"])
    assert {len(found - {"left_out"}) for found in sides.values()} == {1}


def test_the_values_of_a_labels_picture_are_each_types_own(shared: Path, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "sheet"
    shutil.copytree(shared / "cases/multi_class/sheet", root)
    text = (root / "dataset.yaml").read_text()
    text = text.replace('scratch/{stem}.png"}', 'scratch/{stem}.png", value: 1}')
    (root / "dataset.yaml").write_text(
        text.replace('dust/{stem}.png"}', 'dust/{stem}.png", value: 2}')
    )
    command = ["prepare", str(root), "--no-foreground", "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(cli.app, command)
    assert "of 18 picture files 18 used, 0 named" in result.output
    rows = pq.read_table(tmp_path / "out/dataset.parquet").to_pylist()
    rules = {(row["defect"], row["mask_rule"]) for row in rows if row["defect"]}
    assert rules == {("scratch", "value:1"), ("dust", "value:2")}
