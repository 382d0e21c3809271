from __future__ import annotations

import csv
from collections import Counter

import numpy as np
import pytest

from adabldm import dataset, trimap
from jobs import embedded_data

SIZE = 64


@pytest.fixture(scope="module")
def tiles(shared):
    return embedded_data.read_training_set(str(shared / "data" / "mt_dev"), SIZE)


@pytest.mark.shared
def test_few_shots_are_few_and_unseen_tiles_are_in_no_training_picture(shared):
    root = shared / "data" / "mt_dev"
    (folder,) = dataset.read_mvtec(str(root))
    few = embedded_data.few_shot_split(folder, 10)
    counts = Counter(item.defect for item in few)
    assert len(counts) == 5
    assert max(counts.values()) <= 10
    unseen = embedded_data.unseen_good(folder, few)
    assert len(unseen) >= 40
    with (root / "index.csv").open() as lines:
        group = {row["file"]: row["tile_group"] for row in csv.DictReader(lines)}

    def tiles(uris: list[str]) -> set[str]:
        return {group[uri.rsplit("/", 1)[1]] for uri in uris}

    assert not tiles(unseen) & tiles([*folder.good, *(item.image for item in few)])


@pytest.mark.shared
def test_the_training_stream_is_a_function_of_its_index(tiles):
    once = [embedded_data.draw_pair(tiles, 0, index, SIZE) for index in range(20)]
    again = embedded_data.draw_pair(tiles, 0, 13, SIZE)
    assert np.array_equal(once[13].image, again.image)
    assert once[13].prompt == again.prompt
    assert len({pair.image.tobytes() for pair in once}) == len(once)
    for pair in once:
        assert set(np.unique(pair.trimap)) <= {0, 127, 255}
        says_good = not any(d in pair.prompt for d in ("crack", "hole", "break", "fray", "uneven",
                                                       "scratch"))  # fmt: skip
        assert says_good == (not (pair.trimap == trimap.DEFECT).any()), pair.prompt


@pytest.mark.shared
def test_sampling_uses_tiles_that_training_never_sees(tiles):
    trained_on = {picture.tobytes() for picture in tiles.good}
    for index in range(10):
        pair = embedded_data.place_on_unseen(tiles, index, SIZE)
        assert pair.image.tobytes() not in trained_on
        trimap.check(pair.trimap)
