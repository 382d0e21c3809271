"""Finding the object: textures stay whole, objects are cut out, whatever they look like."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adabldm.data import drawn_metal
from adabldm.foreground.predictor import DoubtfulForeground, evenly, fit_foreground
from jobs.bench.foreground_outlines import filled, iou
from tests.support.drawn_objects import draw_objects, overlap
from tests.support.drawn_scenes import SCENES, draw_scene

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


def test_a_spot_on_the_object_is_object_and_a_crumb_beside_it_is_not() -> None:
    drawn = draw_objects(6, ground=(30, 30, 30), thing=(180, 180, 180))
    predictor = fit_foreground([picture for picture, _ in drawn])
    picture, truth = drawn[0]
    row, col = np.argwhere(truth).mean(axis=0).astype(int)
    picture[row - 4 : row + 4, col - 4 : col + 4] = 30
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


@pytest.mark.parametrize("scene", SCENES["objects"], ids=str)
def test_rods_strips_washers_several_parts_and_cut_plates_are_cut_out(scene: str) -> None:
    drawn = draw_scene(scene, 8)
    predictor = fit_foreground([picture for picture, _ in drawn])
    assert predictor.surface == "object"
    for picture, truth in drawn:
        found = predictor.mask(picture) > 0
        assert (found & ~truth).sum() <= 0.02 * found.sum()
        assert overlap(found, truth) > 0.93


@pytest.mark.parametrize("scene", SCENES["doubtful"], ids=str)
def test_where_it_cannot_be_told_which_is_the_ground_nothing_is_guessed(scene: str) -> None:
    with pytest.raises(DoubtfulForeground, match="neither is surely the background"):
        fit_foreground([picture for picture, _ in draw_scene(scene, 8)])


@pytest.mark.parametrize("scene", SCENES["textures"], ids=str)
def test_shaded_streaked_and_spotted_surfaces_are_textures(scene: str) -> None:
    predictor = fit_foreground([picture for picture, _ in draw_scene(scene, 8)])
    assert predictor.surface == "texture"


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


TEXTURES = (
    "mt_dev", "mvtec_leather", "mvtec_wood", "mvtec_carpet", "mvtec_grid", "cfd_asphalt",
    "sd_strip_steel", "bsd_ball_screw",
)  # fmt: skip
OBJECTS = ("bottle", "cable", "capsule", "metal_nut", "pill", "toothbrush", "transistor")


@pytest.mark.shared
@pytest.mark.parametrize("product", TEXTURES)
def test_real_textures_are_found_without_asking(shared: Path, product: str) -> None:
    paths = sorted((shared / "data" / product / "train" / "good").iterdir())
    pictures = [_read(path) for path in evenly(paths)]
    assert fit_foreground(pictures).surface == "texture"


@pytest.mark.shared
@pytest.mark.parametrize("product", OBJECTS)
def test_a_few_pictures_of_an_object_show_it(shared: Path, product: str) -> None:
    folder = shared / "data" / "mvtec_objects_few" / product / "train" / "good"
    predictor = fit_foreground([_read(path) for path in sorted(folder.iterdir())])
    assert predictor.surface == "object"
    assert predictor.pierced == (product == "metal_nut")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("case", "product"), [("off_object_rod", "rod"), ("off_object_cut_real", "hazelnut")]
)
def test_objects_that_the_border_cuts_are_found(shared: Path, case: str, product: str) -> None:
    goods = sorted((shared / "cases" / case / product / "train" / "good").iterdir())
    predictor = fit_foreground([_read(path) for path in goods])
    for path in goods:
        truth = _read(shared / "cases" / case / "truth" / path.name)[..., 0] > 0
        found = predictor.mask(_read(path)) > 0
        assert (found & ~truth).sum() <= 0.05 * found.sum()
        assert overlap(found, truth) > 0.9


@pytest.mark.shared
def test_a_zipper_is_found_on_its_paper(shared: Path) -> None:
    paths = sorted((shared / "data" / "mvtec_zipper" / "train" / "good").iterdir())
    predictor = fit_foreground([_read(path) for path in paths])
    for path in paths:
        picture = _read(path)
        assert overlap(predictor.mask(picture), picture[..., 1] < 200) > 0.97


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
