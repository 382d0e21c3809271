from __future__ import annotations

import numpy as np
import pytest

from adabldm.judging.pair import (
    background_psnr,
    fine_detail,
    foreground_psnr,
    pair_quality,
    psnr,
    seam_jump,
    seam_step,
    ssim,
)

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


def test_psnr_is_that_of_the_mean_square_in_the_whole_picture():
    assert psnr(GOOD, GOOD) == 100.0
    image = GOOD.copy()
    image[:16] += 20
    assert psnr(image, GOOD) == pytest.approx(-10 * np.log10((20 / 255) ** 2 / 2))


def test_ssim_forgives_a_tone_and_sees_a_lost_structure():
    rough = np.random.default_rng(0).integers(60, 200, GOOD.shape, np.uint8)
    assert ssim(rough, rough) == pytest.approx(1)
    assert ssim(rough + 5, rough) > 0.98
    assert ssim(np.full_like(rough, 130), rough) < 0.1


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


def test_foreground_psnr_looks_inside_the_mask_only():
    image = GOOD.copy()
    image[0:4] = 0
    assert foreground_psnr(image, GOOD, MASK) == 100.0
    image[8:16, 8:16] = 110
    assert foreground_psnr(image, GOOD, MASK) == pytest.approx(-20 * np.log10(10 / 255))


def test_a_seam_is_what_adaptation_adds_at_the_edge_not_what_the_defect_is():
    before = GOOD.copy()
    before[8:16, 8:16] = 200
    assert seam_jump(before, before, MASK) == seam_step(before, before, MASK) == 0.0
    brighter = before + 10
    assert seam_jump(brighter, before, MASK) == 0.0
    assert seam_step(brighter, before, MASK) == pytest.approx(0.0, abs=1e-6)
    pasted = before.copy()
    pasted[MASK == 0] += 10
    assert seam_jump(pasted, before, MASK) == pytest.approx(10)
    assert seam_step(pasted, before, MASK) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("value", [0, 255])
def test_a_mask_without_an_edge_has_no_seam(value):
    mask = np.full_like(MASK, value)
    assert seam_jump(GOOD + 5, GOOD, mask) == seam_step(GOOD + 5, GOOD, mask) == 0.0


def test_fine_detail_is_lost_by_blur_and_seen_inside_the_mask_only():
    rough = np.random.default_rng(0).integers(90, 110, GOOD.shape, np.uint8)
    inside = np.where(MASK[..., None] > 0, rough, GOOD)
    assert fine_detail(rough, MASK) > fine_detail(inside, MASK) * 0.9 > 2
    assert fine_detail(rough, ~MASK) > 2
    assert fine_detail(GOOD, MASK) == fine_detail(rough, np.zeros_like(MASK)) == 0.0
