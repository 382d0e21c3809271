from __future__ import annotations

import numpy as np
import pytest

from adabldm.metrics import background_psnr, pair_quality

GOOD = np.full((32, 32, 3), 100, np.uint8)
MASK = np.zeros((32, 32), np.uint8)
MASK[8:16, 8:16] = 255


def test_background_psnr_does_not_look_inside_the_mask():
    image = GOOD.copy()
    image[8:16, 8:16] = 0
    assert background_psnr(image, GOOD, MASK) == 100.0
    image[0:1] = 110
    error = 10 / 255
    share = 32 / (32 * 32 - 64)
    assert background_psnr(image, GOOD, MASK) == pytest.approx(-10 * np.log10(share * error**2))


@pytest.mark.parametrize(
    ("inside", "outside", "visible"),
    [(140, 100, 1.0), (104, 100, 0.0), (140, 120, 0.0), (100, 100, 0.0)],
)
def test_a_defect_is_visible_if_it_stands_out_from_the_good_image_and_the_rest(
    inside, outside, visible
):
    image = np.full_like(GOOD, outside)
    image[MASK > 0] = inside
    assert pair_quality(image, GOOD, MASK)["defect_visible"] == visible
