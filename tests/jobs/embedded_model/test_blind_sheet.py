from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.embedded_model import blind_sheet
from jobs.embedded_model.blind_sheet import ROWS, choose_rows
from jobs.embedded_model.defect_crops import Sample

KINDS = ("real", "ours", "pasted_hard")


def samples(kind: int, count: int, defect: str = "crack", groups: int = 99) -> list[Sample]:
    """Plain pictures: red tells the kind, green the number."""
    mask = np.zeros((32, 32), np.uint8)
    mask[8:12, 8:12] = 255
    found = []
    for index in range(count):
        image = np.full((32, 32, 3), (80 * kind, 5 * index, 0), np.uint8)
        group = f"{'r' if kind == 0 else 'pair'} {index % groups}"
        found.append(Sample(image=image, mask=mask, defect=defect, source=f"{index}", group=group))
    return found


def kinds(count: int = 40, **options: object) -> dict[str, list[Sample]]:
    return {name: samples(i, count, **options) for i, name in enumerate(KINDS)}


def test_the_key_tells_what_the_sheet_shows(tmp_path: Path) -> None:
    shown = kinds()
    assert blind_sheet.save(tmp_path, "tile", shown)
    sheet = np.asarray(Image.open(tmp_path / "tile.png"))
    assert 1100 < sheet.shape[1] < 1300
    grid = blind_sheet.grid(choose_rows(shown))
    orders = set()
    for number, row in enumerate(json.loads((tmp_path / "tile_key.json").read_text())):
        assert (row["row"], row["defect"]) == (number + 1, "crack")
        orders.add(tuple(entry["kind"] for entry in row["left_to_right"]))
        for position, entry in enumerate(row["left_to_right"]):
            sample = shown[entry["kind"]][int(entry["source"])]
            assert grid.groups[3 * number + position].label == f"{number + 1}{'abc'[position]}"
            for column in range(2):
                left, top = grid.corner(3 * number + position, column)
                assert tuple(sheet[top + 5, left + 5]) == tuple(sample.image[0, 0])
    assert number + 1 == ROWS
    assert len(orders) > 3


def test_nothing_is_shown_twice_and_no_request_by_two_ways() -> None:
    rows = choose_rows(kinds())
    groups = [sample.group for row in rows for _, sample in row.shown]
    assert len(set(groups)) == len(groups)


def test_every_specimen_comes_before_one_comes_again() -> None:
    shown = kinds()
    shown["real"] = samples(0, 40, groups=14)
    real = [dict(row.shown)["real"].group for row in choose_rows(shown)]
    assert len(set(real)) == 14


def test_types_take_turns_and_only_those_of_every_kind_are_shown() -> None:
    both = {
        name: [*found, *samples(i, 3, "fray")] for i, (name, found) in enumerate(kinds().items())
    }
    both["real"] += samples(0, 9, "unknown")
    rows = [row.defect for row in choose_rows(both)]
    assert rows == ["crack", "fray"] * 3 + ["crack"] * (ROWS - 6)


def test_without_real_defects_there_is_no_sheet(tmp_path: Path) -> None:
    assert not blind_sheet.save(tmp_path, "tile", {**kinds(), "real": []})
    assert not list(tmp_path.iterdir())
