"""A defect that real ones have at one place of the object lies there on every other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adabldm.core import images, masks
from adabldm.core.picture_uri import read_defect_mask
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.foreground.object_masks import ObjectMasks
from adabldm.placement import transform
from adabldm.planning.relative_places import RelativePlaces
from jobs.verbs.plan import make_plan
from jobs.verbs.plan_options import VarietyOptions
from tests.support.bolts import SIDE, bolt, bolts, tip_of
from tests.support.making import rows_with_whole_paths


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bolts(tmp_path_factory.mktemp("bolts") / "bolt")


def placed_masks(rows: list[dict]) -> list[tuple[int, np.ndarray]]:
    """The good picture's seed and the defect, bool (SIDE, SIDE), of each row."""
    seeds = {images.encode_png(bolt(seed)[0]): seed for seed in range(8)}
    found = []
    for row in rows:
        recipe = row["placement"]
        file = Path(recipe["mask"]["path"].removeprefix("file://"))
        mask = masks.decode_mask(file.read_bytes()).pixels
        where = transform.Placement(
            **{name: recipe[name] for name in ("angle", "scale", "top", "left")}
        )
        picture = Path(row["image"]["path"].removeprefix("file://")).read_bytes()
        found.append((seeds[picture], transform.render(mask, where, SIDE, SIDE) > 0))
    return found


def test_chipped_tips_are_planned_at_tips_and_across_the_outline(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(
        str(root), count=60, seed=1, output=str(tmp_path / "plan"),
        variety=VarietyOptions(where="like-real"),
    )  # fmt: skip
    said = capsys.readouterr().err
    assert "bolt: chip: placed where the real ones lie on the object" in said
    assert "bolt: chip (6): set down across the object's outline, as these lie" in said
    away, shares = [], []
    for seed, mask in placed_masks(rows_with_whole_paths(plan.manifest.path)):
        middle = np.argwhere(mask).mean(axis=0)
        away.append(np.hypot(*(middle - tip_of(seed))))
        shares.append(bolt(seed)[1][mask].mean())
    assert np.mean(np.array(away) < 15) > 0.85
    assert np.median(shares) < 0.75


def test_anywhere_is_wholly_on_the_object(root: Path, tmp_path: Path) -> None:
    plan = make_plan(
        str(root), count=40, seed=1, output=str(tmp_path / "plan"),
        variety=VarietyOptions(where="anywhere"),
    )  # fmt: skip
    rows = placed_masks(rows_with_whole_paths(plan.manifest.path))
    assert min(bolt(seed)[1][mask].mean() for seed, mask in rows) > 0.9


def test_it_is_the_same_when_read_back_and_nothing_of_what_is_not_whole(root: Path) -> None:
    (folder,) = open_dataset(str(root), DatasetOptions())
    learned = RelativePlaces.learned(folder, ObjectMasks(folder))
    data = learned.to_bytes()
    again = RelativePlaces.from_bytes(data)
    assert again is not None
    inside, share = bolt(3)[1], np.ones((64, 64), np.float32)
    for one in (learned, again):
        assert sorted(one.outlined) == list(range(6))
        (found,) = one.maps(inside, share).values()
        row, column = np.unravel_index(int(np.argmax(found)), found.shape)
        tip = np.array(tip_of(3)) * 64 / SIDE
        assert np.hypot(*(np.array([row, column]) - tip)) < 5
    assert learned.maps(np.zeros((SIDE, SIDE), bool), share) == {}
    assert RelativePlaces.from_bytes(data[: len(data) // 2]) is None
    for number, item in enumerate(folder.defects):
        assert learned.outlined[number].leaves
        box = transform.bounding_box(read_defect_mask(item.mask, item.mask_rule))
        margin = np.array(learned.outlined[number].sides.shape) - [s.stop - s.start for s in box]
        assert margin[0] == margin[1] == 2 * round(0.5 * 19)


def test_two_specimens_tell_no_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = bolts(tmp_path / "bolt", real=2)
    make_plan(
        str(two), count=10, seed=1, output=str(tmp_path / "plan"),
        variety=VarietyOptions(where="like-real"),
    )  # fmt: skip
    said = capsys.readouterr().err
    assert "chip: placed anywhere" in said
    assert "chip (2): set down across the object's outline" in said
