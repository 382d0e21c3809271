"""An object is laid over another of its kind, whatever a defect hides of that."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.foreground.intact import intact_object
from adabldm.foreground.poses import SIDE as SMALL
from adabldm.foreground.poses import Template
from tests.support.bolts import SIDE, bolt, chipped, tip_of


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_point_of_an_object_is_found_on_every_other(seed: int) -> None:
    template = Template(bolt(0)[1])
    factor = SMALL / SIDE
    row, column = tip_of(0)
    own = template.pose(bolt(0)[1]).on_canvas(row * factor, column * factor)
    row, column = tip_of(seed)
    pose = template.pose(bolt(seed)[1])
    assert pose.agreement > 0.9
    assert np.hypot(*np.subtract(pose.on_canvas(row * factor, column * factor), own)) < 3


@pytest.mark.parametrize("seed", range(100, 104))
def test_below_a_defect_the_object_is_that_of_a_good_picture(seed: int) -> None:
    goods = [Template(bolt(number)[1]) for number in range(3)]
    whole, mask = bolt(seed)[1], chipped(seed)[1]
    found = intact_object(goods, whole & ~mask, mask)
    assert found is not None
    assert np.array_equal(found[~mask], whole[~mask])
    assert np.count_nonzero(found[mask] != whole[mask]) < 0.15 * np.count_nonzero(mask)


def test_an_object_of_another_kind_tells_nothing() -> None:
    disc = np.hypot(*(np.mgrid[:SIDE, :SIDE] - SIDE / 2)) < 30
    mask = np.zeros((SIDE, SIDE), bool)
    mask[70:90, 70:90] = True
    assert intact_object([Template(bolt(0)[1])], disc, mask) is None
    assert intact_object([Template(np.zeros((SIDE, SIDE), bool))], disc, mask) is None


def test_pictures_of_any_shape_have_a_pose() -> None:
    wide = np.zeros((60, 300), bool)
    wide[20:40, 30:200] = True
    pose = Template(wide).pose(np.roll(wide, (3, 50), axis=(0, 1)))
    assert pose.size == (26, SMALL)
    assert pose.agreement > 0.9
