"""A defect that leaves its object is set down across the outline of another."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.core.random_streams import RowStreams
from adabldm.placement import transform
from adabldm.placement.allowed_area import AllowedArea
from adabldm.placement.batch_placer import Boxes, Places
from adabldm.placement.outline_placer import AGREES, Outlined, OutlinePlacer
from adabldm.placement.shape_bank import ShapeBank

SIDE = 200
BLOT = np.full((24, 30), 255, np.uint8)
"""A defect near the outline, which its right side faces."""
MARGIN = 12


def beside(edge: int) -> np.ndarray:
    """The sides of a blot whose columns up to ``edge`` lie on the object."""
    sides = np.full((24 + 2 * MARGIN, 30 + 2 * MARGIN), -1, np.int8)
    sides[:, : MARGIN + edge] = 1
    return sides


def disc(radius: float = 60, side: int = SIDE) -> np.ndarray:
    return np.hypot(*(np.mgrid[:side, :side] - side / 2)) < radius


def placer(edge: int = 15, seed: int = 1) -> OutlinePlacer:
    streams = RowStreams(seed)
    bank = ShapeBank([BLOT, BLOT].__getitem__, [(SIDE, SIDE)] * 2, 24, streams, "part")
    outlined = {1: Outlined(beside(edge), leaves=edge < 30)}
    return OutlinePlacer(bank, [BLOT, BLOT].__getitem__, outlined, streams)


def put(
    of: OutlinePlacer,
    inside: np.ndarray,
    count: int,
    masks: np.ndarray | int = 1,
    maps: np.ndarray | None = None,
    taken: Boxes | None = None,
    first: int = 0,
) -> Places:
    rows = np.arange(first, first + count, dtype=np.uint64)
    chosen = np.broadcast_to(masks, count)
    kinds = None if maps is None else np.ones(count, int)
    area = AllowedArea(*inside.shape, inside)
    return of.place("one", area, lambda: (inside, maps), rows, chosen, "main", taken, kinds)


def rendered(of: OutlinePlacer, at: Places, row: int, side: int = SIDE) -> np.ndarray:
    bank, shape = of._bank, int(at.shape[row])
    where = transform.Placement(
        angle=float(bank.angle[shape]),
        scale=float(bank.scale[shape]),
        top=int(at.top[row]),
        left=int(at.left[row]),
    )
    return transform.render(BLOT, where, side, side) > 0


def test_half_on_the_object_stays_half_on_the_object() -> None:
    of, inside = placer(), disc()
    at = put(of, inside, 300)
    assert at.found.all()
    shares = [inside[rendered(of, at, row)].mean() for row in range(300)]
    assert min(shares) > 1 - AGREES
    assert max(shares) < AGREES
    assert abs(np.mean(shares) - 0.5) < 0.1
    corners = {(int(top) // 20, int(left) // 20) for top, left in zip(at.top, at.left, strict=True)}
    assert len(corners) > 15, "all around the outline"


def test_by_the_outline_stays_by_the_outline_with_its_own_side_to_it() -> None:
    of, inside = placer(edge=30), disc(70)
    at = put(of, inside, 200)
    assert at.found.all()
    middle = np.array([SIDE / 2, SIDE / 2])
    for row in range(200):
        mask = rendered(of, at, row)
        assert inside[mask].all()
        away = np.argwhere(mask).mean(axis=0) - middle
        assert 45 < np.hypot(*away) < 62
        # What was the right side of the blot shows outwards.
        turn = np.radians(of._bank.angle[at.shape[row]])
        outwards = np.array([-np.sin(turn), np.cos(turn)])
        assert outwards @ away / np.hypot(*away) > 0.8


def test_what_had_no_outline_near_is_none_of_its_business() -> None:
    at = put(placer(), disc(), 8, np.arange(8) % 2)
    assert at.found.tolist() == [False, True] * 4


def test_a_place_is_a_function_of_the_row() -> None:
    many, one = put(placer(), disc(), 64), put(placer(), disc(), 1, first=7)
    assert (one.top[0], one.left[0]) == (many.top[7], many.left[7])


def test_an_object_without_such_an_outline_has_no_place() -> None:
    everywhere = np.ones((SIDE, SIDE), bool)
    for inside in (everywhere, ~everywhere, disc(5)):
        assert not put(placer(), inside, 9).found.any()


@pytest.mark.parametrize("side", [60, 120, 1000])
def test_pictures_of_another_size(side: int) -> None:
    of, inside = placer(), disc(0.3 * side, side)
    at = put(of, inside, 30)
    assert at.found.all()
    for row in range(30):
        assert 0.2 < inside[rendered(of, at, row, side)].mean() < 0.8


def test_a_picture_smaller_than_the_surroundings() -> None:
    inside = np.zeros((26, 31), bool)
    inside[:, :16] = True
    assert put(placer(), inside, 5).found.tolist() in ([True] * 5, [False] * 5)


def test_likely_places_are_taken_more_often() -> None:
    of, inside = placer(), disc()
    maps = np.full((2, 50, 50), 0.1, np.float32)
    maps[1, :25] = 10
    at = put(of, inside, 400, maps=maps)
    upper = [np.nonzero(rendered(of, at, row))[0].mean() < SIDE / 2 for row in range(400)]
    assert np.mean(upper) > 0.9


def test_it_keeps_off_what_is_taken() -> None:
    count = 200
    taken = Boxes(*(np.full((count, 1), value) for value in (0, 0, SIDE // 2, SIDE)))
    at = put(placer(), disc(), count, taken=taken)
    assert at.found.mean() > 0.8
    assert (at.top[at.found] > SIDE // 2).all()
