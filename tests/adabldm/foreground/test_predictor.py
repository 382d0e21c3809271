"""Finding the object: textures stay whole, objects are cut out, whatever they look like."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adabldm.data import drawn_metal
from adabldm.foreground.predictor import fit_foreground
from jobs.bench.foreground_outlines import filled, iou
from tests.support.drawn_objects import draw_objects, overlap

pytestmark = pytest.mark.slow

OUTLINES = Path(__file__).parents[2] / "support" / "foreground_outlines.json"

EXTREMES = {
    "dark on bright": {"ground": (220, 220, 220), "thing": (40, 40, 40)},
    "bright on dark": {"ground": (25, 25, 25), "thing": (200, 200, 200)},
    "low contrast": {"ground": (120, 120, 120), "thing": (132, 132, 132)},
    "low contrast in noise": {"ground": (120,) * 3, "thing": (132,) * 3, "noise": 6},
    "cut off at the border": {"ground": (200, 200, 200), "thing": (80, 80, 80), "cut": True},
    "coloured ground": {"ground": (30, 140, 60), "thing": (150, 110, 60)},
    "of the ground's lightness": {"ground": (60, 130, 60), "thing": (150, 90, 70)},
    "grainy": {"ground": (120, 120, 120), "thing": (190, 190, 190), "grain": 14},
    "with a shadow": {"ground": (200, 200, 200), "thing": (90, 90, 90), "shadow": 60},
}


@pytest.mark.parametrize("look", EXTREMES.values(), ids=EXTREMES)
def test_an_object_is_cut_out(look: dict) -> None:
    drawn = draw_objects(10, **look)
    predictor = fit_foreground([picture for picture, _ in drawn])
    assert predictor.surface == "object"
    assert min(overlap(predictor.mask(picture), truth) for picture, truth in drawn) > 0.97


def test_pictures_that_were_not_fitted_are_cut_out_as_well() -> None:
    drawn = draw_objects(12, ground=(200, 200, 200), thing=(80, 80, 80), shadow=40)
    predictor = fit_foreground([picture for picture, _ in drawn[:6]])
    for picture, truth in drawn[6:]:
        assert overlap(predictor.mask(picture), truth) > 0.97


def test_a_hole_in_the_object_is_object_and_a_crumb_beside_it_is_not() -> None:
    drawn = draw_objects(6, ground=(30, 30, 30), thing=(180, 180, 180))
    predictor = fit_foreground([picture for picture, _ in drawn])
    picture, truth = drawn[0]
    row, col = np.argwhere(truth).mean(axis=0).astype(int)
    picture[row - 6 : row + 6, col - 6 : col + 6] = 30
    picture[3:9, 3:9] = 180
    mask = predictor.mask(picture)
    assert mask[row, col] == 255
    assert not mask[3:9, 3:9].any()


def test_the_same_pictures_give_the_same_masks() -> None:
    pictures = [p for p, _ in draw_objects(5, ground=(120,) * 3, thing=(150,) * 3, grain=8)]
    one, two = (fit_foreground(pictures).mask(pictures[0]) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_picture_in_which_nothing_is_found_has_no_place_for_a_defect() -> None:
    drawn = draw_objects(6, ground=(30, 30, 30), thing=(180, 180, 180))
    predictor = fit_foreground([picture for picture, _ in drawn])
    assert not predictor.mask(np.full((192, 192, 3), 30, np.uint8)).any()


@pytest.mark.parametrize("count", [1, 3, 12])
def test_drawn_metal_is_a_texture(count: int) -> None:
    metal = [drawn_metal.draw_part(seed).image for seed in range(count)]
    predictor = fit_foreground(metal)
    assert predictor.surface == "texture"
    assert (predictor.mask(metal[0]) == 255).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (40, 40)])
def test_blank_pictures_of_any_shape_are_a_texture(shape: tuple[int, int]) -> None:
    blank = np.full((*shape, 3), 90, np.uint8)
    predictor = fit_foreground([blank])
    assert predictor.surface == "texture"
    assert predictor.mask(blank).shape == shape


def test_the_mask_has_the_pictures_own_size_and_two_values() -> None:
    drawn = draw_objects(6, ground=(30, 30, 30), thing=(180, 180, 180))
    predictor = fit_foreground([picture for picture, _ in drawn])
    large = np.asarray(Image.fromarray(drawn[1][0]).resize((903, 611)))
    mask = predictor.mask(large)
    assert mask.shape == (611, 903)
    assert set(np.unique(mask)) == {0, 255}


def test_without_a_picture_nothing_is_fitted() -> None:
    with pytest.raises(ValueError, match="images"):
        fit_foreground([])


def _read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.shared
def test_magnetic_tiles_are_a_texture(shared: Path) -> None:
    paths = sorted((shared / "data" / "mt_dev" / "train" / "good").iterdir())[::20]
    assert fit_foreground([_read(path) for path in paths]).surface == "texture"


@pytest.mark.shared
@pytest.mark.parametrize("product", ["screw", "cookie", "hazelnut_mini"])
def test_real_objects_are_found_as_drawn_by_hand(shared: Path, product: str) -> None:
    data = shared / "data"
    paths = sorted((data / product / "train" / "good").iterdir())
    predictor = fit_foreground([_read(path) for path in paths[:: len(paths) // 15]])
    assert predictor.surface == "object"
    outlines = {
        path: outline
        for path, outline in json.loads(OUTLINES.read_text()).items()
        if path.startswith(product)
    }
    assert len(outlines) >= 4
    figures = []
    for path, outline in outlines.items():
        picture = _read(data / path)
        figures.append(iou(predictor.mask(picture), filled(outline, *picture.shape[:2])))
    assert np.mean(figures) >= 0.945
    assert min(figures) > 0.9


@pytest.mark.shared
def test_hardly_a_screw_loses_a_glossy_side_that_is_as_bright_as_the_ground(shared: Path) -> None:
    paths = sorted((shared / "data" / "screw" / "train" / "good").iterdir())
    predictor = fit_foreground([_read(path) for path in paths[::20]])
    areas = np.array([(predictor.mask(_read(path)) > 0).mean() for path in paths[1::4]])
    assert (areas < 0.9 * np.median(areas)).mean() <= 0.04
