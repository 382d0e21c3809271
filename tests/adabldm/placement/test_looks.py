"""A defect's look is all that is needed to set the defect down elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.placement import pasting, transform
from adabldm.placement.looks import LookFault, cut_look, set_down

SIZE = 96


def defective(top: int, left: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a dark block without symmetry, and its mask."""
    image = np.random.default_rng(1).integers(100, 140, (SIZE, SIZE, 3), np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[top : top + 8, left : left + 20] = 255
    mask[top : top + 16, left : left + 5] = 255
    image[mask > 0] = 20
    return image, mask


@pytest.mark.parametrize("corner", [(40, 30), (0, 76), (80, 0)])
@pytest.mark.parametrize("angle", [0.0, 33.0, 180.0])
def test_the_part_around_a_defect_does_as_well_as_its_whole_picture(corner, angle) -> None:
    image, mask = defective(*corner)
    good = np.full((120, 140, 3), 200, np.uint8)
    where = transform.Placement(angle=angle, scale=1.1, top=30, left=40)
    look = cut_look(image, mask)
    assert look.size < image.size / 4
    expected, _ = pasting.paste(where, good, image, mask)
    np.testing.assert_array_equal(set_down(good, look, mask, where), expected)
    np.testing.assert_array_equal(set_down(good, image, mask, where), expected)


def test_a_look_of_another_size_is_refused_with_the_sizes_that_are_right() -> None:
    image, mask = defective(40, 30)
    where = transform.Placement(angle=0.0, scale=1.0, top=30, left=40)
    rule = r"must be of the mask's size, .* margin of 8 pixels: 96 x 96 or 32 x 36"
    with pytest.raises(LookFault, match=rule):
        set_down(image, image[:50], mask, where)
