"""Names that are files: none lands on another one, whatever the file system heeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adabldm.core.faults import InputFault
from cluster.manifest.folder_names import KEPT
from cluster.manifest.reader import Manifest
from cluster.manifest.roster import Roster
from cluster.manifest.validation import NO_PRINTS, validate
from tests.support.making import checks_of, write_manifest

Row = dict[str, Any]
COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def faults(
    folder: Path, change: Callable[[list[Row]], None], *, one_folder: bool = False
) -> list[str]:
    manifest = Manifest(str(write_manifest(folder, 6, change)))
    try:
        validate(manifest, checks_of(manifest), one_folder=one_folder).close()
    except InputFault as fault:
        return list(fault.lines)
    return []


def set_to(field: str, *values: str) -> Callable[[list[Row]], None]:
    """The first rows get these values; they are all of one object and type otherwise."""

    def change(rows: list[Row]) -> None:
        for row in rows:
            row["defect"] = "crack"
        for row, value in zip(rows, values, strict=False):
            row[field] = value

    return change


@pytest.mark.parametrize("name", ["good", "Good", "GOOD", "ok"])
def test_a_type_that_is_a_folder_of_good_pictures_is_refused(name: str, tmp_path: Path) -> None:
    (line,) = faults(tmp_path, set_to("defect", name))
    assert line.startswith(f"row 0 (request_id 'r0000'): defect: {name!r}: ")


@pytest.mark.parametrize("name", ["index", "Index", "EXTRAS", "Run.json", ".partial"])
def test_an_object_that_is_a_place_of_the_output_is_refused(name: str, tmp_path: Path) -> None:
    (line,) = faults(tmp_path, set_to("object", name))
    assert line.startswith(f"row 0 (request_id 'r0000'): object: {name!r}: ")


@pytest.mark.parametrize("field", ["object", "defect", "request_id"])
@pytest.mark.parametrize("pair", [("Dent", "dent"), ("dent", "DENT"), (COMPOSED, DECOMPOSED)])
def test_two_spellings_of_one_file_or_folder_are_refused(
    field: str, pair: tuple[str, str], tmp_path: Path
) -> None:
    (line,) = faults(tmp_path, set_to(field, *pair))
    shown = pair[1] if field == "request_id" else "r0001"
    assert line.startswith(f"row 1 (request_id {shown!r}): {field}: {pair[1]!r}: is the f")
    assert f"of {pair[0]!r} (row 0) on some file systems" in line


def test_every_row_with_the_other_spelling_is_named(tmp_path: Path) -> None:
    lines = faults(tmp_path, set_to("object", "Plate", "plate", "Plate", "plate"))
    assert [line.split(" (")[0] for line in lines] == ["row 1", "row 3"]


def test_ids_that_differ_by_case_are_two_in_two_folders_unless_files_share_one(
    tmp_path: Path,
) -> None:
    def change(rows: list[Row]) -> None:
        rows[0].update(defect="dent", request_id="A")
        rows[1].update(defect="hole", request_id="a")

    assert faults(tmp_path, change) == []
    (line,) = faults(tmp_path, change, one_folder=True)
    assert "request_id: 'a': is the file of 'A' (row 0)" in line


def test_a_third_spelling_is_told_of_the_first(tmp_path: Path) -> None:
    lines = faults(tmp_path, set_to("request_id", "ab", "AB", "Ab"))
    assert [line.rpartition(": ")[2] for line in lines] == [
        "is the file of 'ab' (row 0) on some file systems"
    ] * 2


def test_more_folders_than_are_kept_in_memory_are_told_apart() -> None:
    roster = Roster()
    numbers = {roster.folders.of(f"o{i}", "d", i).number for i in range(KEPT + 10)}
    assert len(numbers) == KEPT + 10
    again = roster.folders.of("O3", "d", KEPT + 10)
    assert again.object is not None
    assert (again.object.name, again.object.row) == ("o3", 3)
    assert again.number == roster.folders.of("o3", "d", KEPT + 11).number
    assert roster.add("x", 0, NO_PRINTS, 1) is None
    roster.close()
