"""Finding the object: textures stay whole, objects are cut out of plain backgrounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.draw import disk

from adabldm import foreground, surfaces


def disc_picture(seed: int, tone: int = 180, size: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """A disc with a soft shadow on a noisy dark ground, and its true mask."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((size, size), bool)
    truth[disk((rng.integers(60, 100), rng.integers(60, 100)), 40, shape=truth.shape)] = True
    shadow = gaussian_filter(np.roll(truth, 8, axis=1).astype(float), 4) * -12
    grey = np.where(truth, tone, 40 + shadow)[..., None] + rng.normal(0, 3, (size, size, 3))
    return np.uint8(np.clip(grey, 0, 255)), truth


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(((mask > 0) & truth).sum() / ((mask > 0) | truth).sum())


@pytest.mark.parametrize("seed", range(5))
def test_an_object_is_cut_out_and_its_shadow_is_left(seed: int) -> None:
    picture, truth = disc_picture(seed)
    assert not foreground.is_texture([picture])
    assert overlap(foreground.object_mask(picture), truth) > 0.95


def test_a_hole_in_the_object_is_object_and_a_crumb_beside_it_is_not() -> None:
    picture, truth = disc_picture(0)
    inside = np.argwhere(truth).mean(axis=0).astype(int)
    picture[disk(tuple(inside), 8)] = 40
    picture[3:9, 3:9] = 180
    mask = foreground.object_mask(picture)
    assert mask[tuple(inside)] == 255
    assert not mask[3:9, 3:9].any()


def test_drawn_metal_is_a_texture() -> None:
    assert foreground.is_texture(
        [np.repeat(np.uint8(surfaces.draw_surface(s) * 255)[..., None], 3, 2) for s in range(9)]
    )


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (40, 40)])
def test_a_blank_picture_of_any_shape_is_all_object(shape: tuple[int, int]) -> None:
    blank = np.full((*shape, 3), 90, np.uint8)
    assert foreground.is_texture([blank])
    mask = foreground.object_mask(blank)
    assert mask.shape == shape
    assert (mask == 255).all()


def test_the_mask_has_the_pictures_own_size_and_two_values() -> None:
    picture, _ = disc_picture(1, size=160)
    large = np.asarray(Image.fromarray(picture).resize((903, 611)))
    mask = foreground.object_mask(large)
    assert mask.shape == (611, 903)
    assert set(np.unique(mask)) == {0, 255}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "texture", "share"),
    [
        ("mt_dev", True, None),
        ("screw", False, (0.08, 0.14)),
        ("cookie", False, (0.25, 0.35)),
        ("hazelnut_mini", False, (0.28, 0.42)),
    ],
)
def test_real_products_are_told_apart(
    shared: Path, name: str, texture: bool, share: tuple[float, float] | None
) -> None:
    paths = sorted((shared / "data" / name / "train" / "good").iterdir())[::5][:15]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    assert foreground.is_texture(pictures) is texture
    if share:
        for picture in pictures:
            assert share[0] < (foreground.object_mask(picture) > 0).mean() < share[1]
