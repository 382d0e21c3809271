from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adabldm.core import trimap
from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import read_picture
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.planning.unseen_cases import UnseenCase, draw_case
from tests.support.drawn_folder import disc_folder
from tests.support.measured import draw_metal


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> ObjectPictures:
    (folder,) = open_dataset(draw_metal(tmp_path_factory.mktemp("metal")), DatasetOptions(shots=3))
    return ObjectPictures(folder, 64)


def cases(product: ObjectPictures, count: int) -> list[UnseenCase]:
    return [case for i in range(count) if (case := draw_case(product, i, "metal")) is not None]


def test_types_take_turns_on_good_pictures_that_learning_never_saw(product: ObjectPictures) -> None:
    found = cases(product, 6)
    assert [case.defect for case in found] == ["blowhole", "scratch"] * 3
    assert [case.prompt for case in found[:2]] == [
        "a metal with a blowhole",
        "a metal with a scratch",
    ]
    unseen = {product.good(uri).tobytes() for uri in product.folder.test_good}
    for case in found:
        assert case.good.tobytes() in unseen
        trimap.check(case.trimap)


def test_a_case_is_a_function_of_its_index(product: ObjectPictures) -> None:
    again = draw_case(ObjectPictures(product.folder, 64), 3, "metal")
    once = cases(product, 4)[3]
    assert again is not None
    assert np.array_equal(again.trimap, once.trimap)
    assert np.array_equal(again.pasted["hard"], once.pasted["hard"])


def test_cut_and_paste_changes_the_same_place_and_nothing_else(product: ObjectPictures) -> None:
    for case in cases(product, 4):
        for seam in ("hard", "soft"):
            outside = case.pasted[seam][~case.mask]
            assert np.array_equal(outside, case.good[~case.mask])
            assert not np.array_equal(case.pasted[seam][case.mask], case.good[case.mask])


def test_a_defect_lies_on_the_object_and_the_ground_is_told(tmp_path: Path) -> None:
    drawn = disc_folder(tmp_path)
    folder = ObjectFolder(
        name="disc", good=drawn.good, test_good=drawn.good[:2], defects=drawn.defects
    )
    case = draw_case(ObjectPictures(folder, 96), 0, "disc")
    assert case is not None
    assert set(np.unique(case.trimap)) == {0, 127, 255}
    assert case.good[case.mask].mean() > 120


def test_a_defect_that_fits_nowhere_gives_no_case(tmp_path: Path) -> None:
    drawn = disc_folder(tmp_path)
    for item in drawn.defects:
        mask = np.zeros_like(read_picture(item.mask, "L"))
        mask[::3] = 255  # from border to border
        Image.fromarray(mask).save(item.mask)
    folder = ObjectFolder(
        name="disc", good=drawn.good, test_good=drawn.good[:2], defects=drawn.defects
    )
    assert draw_case(ObjectPictures(folder, 64), 0, "disc") is None
