"""Pixels come as often as their place is likely, and only allowed ones do."""

from __future__ import annotations

import numpy as np

from adabldm.placement.weighted_pixels import WeightedPixels

HEIGHT, WIDTH = 30, 44


def drawn(maps: np.ndarray, inside: np.ndarray, kind: int, count: int = 40_000) -> np.ndarray:
    """How often each pixel of the picture comes."""
    some = WeightedPixels(maps, HEIGHT, WIDTH, inside[5:25, 3:40], 5, 3)
    chance = np.random.default_rng(0).random(count)
    chance[:2] = 0, 1 - 2.0**-53
    flat = some.draw(np.full(count, kind), chance)
    counts = np.zeros((HEIGHT, WIDTH), int)
    counts[5:25, 3:40] = np.bincount(flat, minlength=20 * 37).reshape(20, 37)
    return counts


def test_a_pixel_is_as_likely_as_its_cell_of_its_kinds_map() -> None:
    maps = np.ones((2, 3, 4), np.float32)
    maps[1, 1, 2] = 7
    inside = np.ones((HEIGHT, WIDTH), bool)
    even, uneven = drawn(maps, inside, 0), drawn(maps, inside, 1)
    cell = np.s_[10:20, 22:33]
    apart = np.ones_like(inside)
    apart[cell] = False
    apart[:5] = apart[25:] = apart[:, :3] = apart[:, 40:] = False
    assert 0.9 < even[cell].mean() / even[apart].mean() < 1.1
    assert 6.3 < uneven[cell].mean() / uneven[apart].mean() < 7.7


def test_only_allowed_pixels_come() -> None:
    rng = np.random.default_rng(1)
    inside = rng.random((HEIGHT, WIDTH)) < 0.2
    counts = drawn(rng.random((3, 7, 5)).astype(np.float32) + 0.1, inside, 2)
    assert not counts[~inside].any()
    assert (counts[5:25, 3:40][inside[5:25, 3:40]] > 0).mean() > 0.99
