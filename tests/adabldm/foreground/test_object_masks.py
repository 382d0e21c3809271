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
from adabldm.foreground.predictor import PICTURES, ForegroundPredictor, evenly
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.planning.sources import GoodPictures
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
