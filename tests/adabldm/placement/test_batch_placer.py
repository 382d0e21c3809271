"""Places by the thousand: on the object, anywhere on it, a function of the row alone."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.core.random_streams import RowStreams
from adabldm.placement import transform
from adabldm.placement.allowed_area import AllowedArea
from adabldm.placement.batch_placer import Boxes, Placer, Places
from adabldm.placement.shape_bank import ALONG, ShapeBank, runs_of

SIDE = 96


def rows(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint64)


def placer_of(*masks: np.ndarray, seed: int = 3) -> Placer:
    crops = [mask[transform.bounding_box(mask)] for mask in masks]
    streams = RowStreams(seed)
    sizes = [(mask.shape[0], mask.shape[1]) for mask in masks]
    return Placer(ShapeBank(crops.__getitem__, sizes, 20, streams, "part"), streams)


def masks_of_many_kinds() -> list[np.ndarray]:
    """A dot, a line, a blob, two dots far apart, and a ring."""
    rng = np.random.default_rng(5)
    drawn = [np.zeros((SIDE, SIDE), np.uint8) for _ in range(5)]
    drawn[0][40, 40] = 255
    drawn[1][30, 10:40] = 255
    drawn[2][20:34, 20:30] = rng.integers(0, 2, (14, 10)) * 255
    drawn[3][[10, 25], [10, 30]] = 255
    y, x = np.mgrid[:SIDE, :SIDE]
    drawn[4][np.abs(np.hypot(y - 40, x - 40) - 6) < 1.2] = 255
    return drawn


def ring(holes: bool = True) -> np.ndarray:
    """A turned, holed object with an island beside it."""
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = np.hypot((y - 50) / 1.2, x - 44) < 34
    if holes:
        inside &= np.hypot(y - 52, x - 40) > 8
    inside[3:8, 80:94] = True
    return inside


def rendered(placer: Placer, masks: list[np.ndarray], which: int, at: Places, row: int):
    shape = at.shape[row]
    recipe = transform.Placement(
        angle=float(placer.bank.angle[shape]),
        scale=float(placer.bank.scale[shape]),
        top=int(at.top[row]),
        left=int(at.left[row]),
    )
    return transform.render(masks[which], recipe, SIDE, SIDE), recipe


def test_of_ten_thousand_placements_no_defect_leaves_the_object() -> None:
    masks, inside = masks_of_many_kinds(), ring()
    placer, which = placer_of(*masks), np.arange(10_000) % len(masks)
    at = placer.place("ring", AllowedArea(SIDE, SIDE, inside), rows(10_000), which, "main")
    assert at.found.all()
    for row in range(10_000):
        drawn, recipe = rendered(placer, masks, int(which[row]), at, row)
        assert drawn.any()
        assert not drawn[~inside].any()
        assert 0.85 <= recipe.scale <= 1.15
        assert 0 <= recipe.angle <= 360


def test_a_rows_place_does_not_depend_on_the_other_rows() -> None:
    masks = masks_of_many_kinds()
    ground = AllowedArea(SIDE, SIDE, ring())
    which = np.arange(600) % len(masks)
    many, one = placer_of(*masks), placer_of(*masks)
    together = many.place("ring", ground, rows(600), which, "main")
    for row in (599, 3, 250):
        some = slice(row, row + 1)
        alone = one.place("ring", ground, rows(600)[some], which[some], "main")
        number = int(which[row])
        assert (
            rendered(one, masks, number, alone, 0)[1]
            == rendered(many, masks, number, together, row)[1]
        )


def test_every_fitting_position_is_equally_likely() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[50, 50] = 255
    inside = np.zeros((SIDE, SIDE), bool)
    inside[5:8, 30:33] = True
    inside[70, 2] = True
    at = placer_of(mask).place(
        "spots", AllowedArea(SIDE, SIDE, inside), rows(20_000), np.zeros(20_000, int), "main"
    )
    spots, counts = np.unique(np.stack([at.top, at.left]), axis=1, return_counts=True)
    assert spots.shape[1] == 10
    assert counts.min() > 1_800
    assert counts.max() < 2_200


def test_the_only_place_is_found_without_guessing_on() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20:28, 20:28] = 255
    inside = np.zeros((SIDE, SIDE), bool)
    inside[60:67, 11:18] = True
    placer = placer_of(mask)
    at = placer.place("slot", AllowedArea(SIDE, SIDE, inside), rows(50), np.zeros(50, int), "main")
    assert at.found.all()
    for row in range(50):
        assert not rendered(placer, [mask], 0, at, row)[0][~inside].any()


@pytest.mark.parametrize("side", [0, 5])
def test_what_fits_nowhere_is_said(side: int) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20:40, 20:40] = 255
    inside = np.zeros((SIDE, SIDE), bool)
    inside[:side, :side] = True
    ground = AllowedArea(SIDE, SIDE, inside)
    at = placer_of(mask).place("small", ground, rows(40), np.zeros(40, int), "main")
    assert not at.found.any()


def test_a_mask_as_large_as_the_picture_always_fits_on_a_texture() -> None:
    full = np.full((60, 90), 255, np.uint8)
    at = placer_of(full).place("all", AllowedArea(31, 77), rows(300), np.zeros(300, int), "main")
    assert at.found.all()


def test_a_mask_of_another_picture_size_is_brought_to_this_ones() -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[150:250, 150:250] = 255
    placer = placer_of(mask)
    at = placer.place("small", AllowedArea(100, 100), rows(500), np.zeros(500, int), "main")
    scales = placer.bank.scale[at.shape]
    assert 0.25 * 0.85 - 1e-6 <= scales.min() < 0.25 * 0.87
    assert 0.25 * 1.13 < scales.max() <= 0.25 * 1.15 + 1e-6


def test_further_defects_keep_off_the_boxes_that_are_taken() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20:30, 20:30] = 255
    placer = placer_of(mask)
    top = np.full((200, 1), 30)
    taken = Boxes(top, top, top * 0 + 40, top * 0 + 40)
    at = placer.place("all", AllowedArea(SIDE, SIDE), rows(200), np.zeros(200, int), "more", taken)
    assert at.found.mean() > 0.95
    busy = np.zeros((SIDE, SIDE), bool)
    busy[30:70, 30:70] = True
    for row in np.flatnonzero(at.found):
        assert not rendered(placer, [mask], 0, at, row)[0][busy].any()


def test_runs_are_the_shape() -> None:
    for mask in masks_of_many_kinds():
        again = np.zeros(mask.shape, bool)
        for row, first, length in runs_of(mask > 0).tolist():
            assert not again[row, first : first + length].any()
            again[row, first : first + length] = True
        assert np.array_equal(again, mask > 0)


def maps_of_halves() -> np.ndarray:
    """Two kinds: the first nearly always to the left, the second to the right."""
    maps = np.full((2, 12, 12), 0.01, np.float32)
    maps[0, :, :6] = maps[1, :, 6:] = 1
    return maps


@pytest.mark.parametrize("inside", [ring(), None], ids=["object", "texture"])
def test_defects_lie_where_the_map_of_their_kind_says(inside: np.ndarray | None) -> None:
    masks = masks_of_many_kinds()
    placer, which = placer_of(*masks), np.arange(4_000) % len(masks)
    area = AllowedArea(SIDE, SIDE, inside, maps_of_halves())
    kinds = which % 2
    at = placer.place("ring", area, rows(4_000), which, "main", kinds=kinds)
    assert at.found.all()
    middle = at.left + placer.bank.size[at.shape][:, 1] / 2
    assert (middle[kinds == 0] < SIDE / 2).mean() > 0.85
    assert (middle[kinds == 1] > SIDE / 2).mean() > 0.8
    for row in range(0, 4_000, 7):
        drawn, recipe = rendered(placer, masks, int(which[row]), at, row)
        assert inside is None or not drawn[~inside].any()
        assert 0.85 <= recipe.scale <= 1.15


def test_a_weighted_rows_place_does_not_depend_on_the_other_rows() -> None:
    masks = masks_of_many_kinds()
    area = AllowedArea(SIDE, SIDE, ring(), maps_of_halves())
    which = np.arange(600) % len(masks)
    together = placer_of(*masks).place("r", area, rows(600), which, "main", kinds=which % 2)
    one = placer_of(*masks)
    for row in (599, 3, 250):
        some = slice(row, row + 1)
        alone = one.place("r", area, rows(600)[some], which[some], "main", kinds=which[some] % 2)
        assert (alone.top[0], alone.left[0]) == (together.top[row], together.left[row])


def test_where_guesses_are_in_vain_the_likely_one_of_few_places_is_taken() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20:30, 20:30] = 255
    inside = np.zeros((SIDE, SIDE), bool)
    inside[60:69, 11:20] = inside[60:69, 70:79] = True
    area = AllowedArea(SIDE, SIDE, inside, maps_of_halves())
    kinds = np.arange(400) % 2
    placer = placer_of(mask)
    at = placer.place("slots", area, rows(400), np.zeros(400, int), "main", kinds=kinds)
    assert at.found.all()
    assert (at.left[kinds == 0] < 40).mean() > 0.8


@pytest.mark.parametrize("weighted", [False, True])
def test_shapes_are_turned_as_is_wanted_and_others_anyhow(weighted: bool) -> None:
    masks = masks_of_many_kinds()
    placer, which = placer_of(*masks), np.arange(400) % len(masks)
    wanted = np.where(np.arange(400) % 2, 30.0, np.nan)
    maps = np.ones((1, 8, 8), np.float32) if weighted else None
    area = AllowedArea(SIDE, SIDE, ring(), maps)
    kinds = np.zeros(400, int) if weighted else None
    at = placer.place("ring", area, rows(400), which, "main", kinds=kinds, turns=wanted)
    assert at.found.all()
    away = np.abs((placer.bank.angle[at.shape] - 30 + 90) % 180 - 90)
    assert np.mean(away[1::2] <= ALONG) > 0.97, "all but what fits only otherwise"
    assert (away[1::2] > 2).any()
    assert away[::2].max() > 80
    scales = placer.bank.scale[at.shape[1::2]]
    assert scales.min() < 0.9
    assert scales.max() > 1.1
