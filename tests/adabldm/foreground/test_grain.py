"""Which way the lines of a surface run, and by how much a defect is turned to run along."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from adabldm.foreground.grain import COHERENT, Grain, common_grain, grain_of
from adabldm.placement.transform import turn


def brushed(angle: float, side: int = 128) -> np.ndarray:
    """uint8 (side, side, 3): lines along the columns, turned counter-clockwise by degrees."""
    rng = np.random.default_rng(0)
    lines = np.clip(128 + rng.normal(0, 30, (1, 2 * side)), 0, 255).astype(np.uint8)
    whole = Image.fromarray(np.repeat(lines, 2 * side, axis=0)).rotate(
        angle, Image.Resampling.BICUBIC
    )
    middle = np.asarray(whole)[side // 2 : side // 2 + side, side // 2 : side // 2 + side]
    return middle[..., None].repeat(3, axis=2)


@pytest.mark.parametrize("angle", [0, 20, 90, 137])
def test_the_turn_between_two_grains_is_that_of_the_pictures(angle: float) -> None:
    found = grain_of(brushed(0)).turn_to(grain_of(brushed(angle)))
    assert found is not None
    assert abs((found - angle + 90) % 180 - 90) < 3
    turned = turn(brushed(0)[..., 0], found, 1.0)
    inner = turned[turned.shape[0] // 2 - 30 :, turned.shape[1] // 2 - 30 :][:60, :60]
    again = grain_of(inner[..., None].repeat(3, axis=2)).turn_to(grain_of(brushed(angle)))
    assert again is not None
    assert min(again, 180 - again) < 5


def test_what_has_no_grain_is_turned_anyhow() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (96, 96, 1), dtype=np.uint8).repeat(3, axis=2)
    assert grain_of(noise).coherent < COHERENT
    assert grain_of(brushed(0)).coherent > 0.8
    assert grain_of(noise).turn_to(grain_of(brushed(0))) is None
    for shape in ((1, 1, 3), (1, 50, 3), (40, 40, 3)):
        assert grain_of(np.full(shape, 9, np.uint8)) == Grain(0.0, 0.0)


def test_pictures_have_a_grain_together_if_it_runs_one_way() -> None:
    one_way = [grain_of(brushed(angle)) for angle in (-4, 0, 3, 179)]
    together = common_grain([*one_way, Grain(50.0, 0.1)])
    assert together.coherent > COHERENT
    assert min(together.angle, 180 - together.angle) < 5
    assert common_grain([grain_of(brushed(angle)) for angle in (0, 45, 90, 135)]).coherent < 0.1
    assert common_grain([]) == Grain(0.0, 0.0)
    assert Grain(50.0, 0.1).or_else(together) is together
    assert one_way[0].or_else(together) is one_way[0]
