"""A placement is a recipe: the same one gives the same pixels, and they stay on the object."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adabldm.placement import transform
from adabldm.placement.transform import Placement, PlacementFault


def blob_mask(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(1, 4)):
        top, left = rng.integers(10, height - 30), rng.integers(10, width - 30)
        mask[top : top + rng.integers(1, 14), left : left + rng.integers(1, 14)] = 255
    return mask


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(24, 200),
    width=st.integers(24, 200),
    texture=st.booleans(),
)
def test_a_placed_defect_lies_on_the_object(
    seed: int, height: int, width: int, texture: bool
) -> None:
    inside = np.ones((height, width), np.uint8)
    if not texture:
        inside[: height // 3] = 0
        inside[:, : width // 4] = 0
    mask = blob_mask(seed)
    rng = np.random.default_rng(seed)
    try:
        where = transform.place(rng, mask, inside)
    except PlacementFault:
        assert not texture, "a shape is shrunk until it fits on a texture"
        return
    rendered = transform.render(mask, where, height, width)
    assert rendered.shape == (height, width)
    assert set(np.unique(rendered)) == {0, 255}
    assert not rendered[inside == 0].any()
    assert 0 <= where.angle <= 360
    again = transform.place(np.random.default_rng(seed), mask, inside)
    assert again == where
    assert np.array_equal(transform.render(mask, again, height, width), rendered)


def test_scale_is_relative_to_the_mask_brought_to_the_pictures_size() -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[150:250, 150:250] = 255
    inside = np.ones((100, 100), np.uint8)
    for seed in range(20):
        where = transform.place(np.random.default_rng(seed), mask, inside)
        assert 0.25 * 0.85 <= where.scale <= 0.25 * 1.15
        area = (transform.render(mask, where, 100, 100) > 0).sum()
        assert 0.7 * 0.85**2 < area / 625 < 1.3 * 1.15**2


def test_every_place_on_the_object_is_used() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[20, 20] = 255
    inside = np.zeros((40, 40), np.uint8)
    inside[5:8, 30:33] = 1
    inside[30, 2] = 1
    seen = set()
    for seed in range(300):
        where = transform.place(np.random.default_rng(seed), mask, inside)
        seen.add((where.top, where.left))
    assert len(seen) == 10


def test_the_only_place_is_found() -> None:
    inside = np.zeros((200, 200), np.uint8)
    inside[100:112, 70:82] = 1
    mask = np.zeros((200, 200), np.uint8)
    mask[50:57, 50:57] = 255
    where = transform.place(np.random.default_rng(0), mask, inside)
    assert not transform.render(mask, where, 200, 200)[inside == 0].any()


def test_a_thin_line_survives_every_turn() -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[150, 40:260] = 255
    for angle in range(0, 360, 7):
        shape = transform.turned_shape(mask, float(angle), 0.85)
        assert shape.any(axis=0).sum() + shape.any(axis=1).sum() > 0.85 * 215
        assert shape.any(axis=1).all() or shape.any(axis=0).all()


@pytest.mark.parametrize(
    ("mask", "inside"),
    [
        (np.full((9, 9), 255, np.uint8), np.zeros((50, 50), np.uint8)),
        (np.zeros((9, 9), np.uint8), np.ones((50, 50), np.uint8)),
    ],
    ids=["no object", "empty mask"],
)
def test_what_fits_nowhere_is_said(mask: np.ndarray, inside: np.ndarray) -> None:
    with pytest.raises(PlacementFault):
        transform.place(np.random.default_rng(0), mask, inside)


@pytest.mark.parametrize(
    "values",
    [
        {"top": -1},
        {"left": -1},
        {"top": 90},
        {"left": 2**31 - 1},
        {"scale": 1e6},
    ],
)
def test_a_recipe_that_leaves_the_picture_is_refused_before_it_is_drawn(values: dict) -> None:
    recipe = Placement(**{"angle": 10.0, "scale": 1.0, "top": 5, "left": 5, **values})
    mask = np.zeros((100, 100), np.uint8)
    mask[40:60, 40:60:3] = 255
    with pytest.raises(PlacementFault):
        transform.render(mask, recipe, 100, 100)


@pytest.mark.parametrize(
    ("field", "value"),
    [("angle", float("nan")), ("angle", float("inf")), ("scale", 0.0), ("scale", float("nan"))],
)
def test_a_recipe_of_nonsense_names_its_field(field: str, value: float) -> None:
    with pytest.raises(PlacementFault, match=f"^{field}: "):
        Placement(**{"angle": 0.0, "scale": 1.0, "top": 0, "left": 0, field: value})
