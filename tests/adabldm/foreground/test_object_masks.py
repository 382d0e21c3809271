"""An object's foreground is learned once and alike, whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adabldm.core.picture_uri import read_picture
from adabldm.data import preparation
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.foreground import predictor
from adabldm.foreground.object_masks import on_all_cores
from adabldm.foreground.predictor import PICTURES, ForegroundPredictor, evenly
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.planning.sources import GoodPictures
from tests.support.drawn_folder import disc_folder
from tests.support.trees import lay_out, mvtec

GOODS = PICTURES + 14


class NoFiles:
    def put(self, data: bytes, suffix: str) -> str:
        raise AssertionError((data, suffix))


def test_prepare_plan_and_training_learn_from_the_same_pictures_over_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[Sequence[np.ndarray]] = []

    def fit(images: Sequence[np.ndarray], features: Any) -> ForegroundPredictor:
        learned.append(images)
        return ForegroundPredictor(surface="texture", features=features)

    monkeypatch.setattr(predictor, "fit_foreground", fit)
    root = lay_out(str(tmp_path / "nut"), mvtec(good=GOODS))
    (folder,) = open_dataset(root)
    options = DatasetOptions()
    preparation.outline(preparation.check(root, options), options, lambda *_: None)
    assert GoodPictures(folder, NoFiles()).texture
    assert ObjectPictures(folder, 32).is_texture
    expected = [read_picture(uri) for uri in evenly(folder.good)]
    assert len(learned) == 3
    for images in learned:
        np.testing.assert_array_equal(images, expected)


@pytest.mark.parametrize("count", [1, PICTURES, PICTURES + 1, GOODS, 10 * PICTURES + 7])
def test_pictures_are_taken_from_the_whole_of_a_data_set(count: int) -> None:
    taken = evenly(range(count))
    assert len(taken) == min(count, PICTURES)
    steps = np.diff([*taken, count])
    assert taken[0] == 0
    assert steps.max() - steps.min() <= 1


def test_prepare_goes_on_where_it_was_cut_off_and_trusts_nothing_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / disc_folder(tmp_path, goods=6).name
    checked = preparation.check(str(raw), DatasetOptions())
    files: dict[str, bytes] = {}
    made: list[int] = []
    mask_of = ForegroundPredictor.mask

    def counted(self: ForegroundPredictor, image: np.ndarray) -> np.ndarray:
        made.append(1)
        return mask_of(self, image)

    monkeypatch.setattr(ForegroundPredictor, "mask", counted)

    def outline() -> tuple[int, dict[str, bytes]]:
        made.clear()
        preparation.outline(
            checked, DatasetOptions(), files.__setitem__, read_file=lambda path: files.get(path)
        )
        return len(made), dict(files)

    count, whole = outline()
    assert count == len(whole) == 6
    assert outline() == (0, whole)
    first, second, third = sorted(files)[:3]
    del files[first]
    files[second] = files[third]
    assert outline() == (2, whole)


def test_work_on_all_cores_comes_back_in_order_and_its_fault_comes_through() -> None:
    assert list(on_all_cores(lambda number: number**2, range(100))) == [n**2 for n in range(100)]
    with pytest.raises(ZeroDivisionError):
        list(on_all_cores(lambda number: 1 // (number - 5), range(50)))
