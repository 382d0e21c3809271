"""Rows of a top-up: as many as are lacking, new ones, and functions of (data set, seed, i)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from adabldm.planning.planner import FITS_NOWHERE, PLACED, PlanBlock
from adabldm.planning.top_up import FRUITLESS, ROWS, TopUp

NAMES = [("nut", "crack"), ("nut", "bent"), ("tile", "crack")]


@dataclass
class Dealing:
    """Deals rows as a planner does; those of ``share`` find a place, by their number."""

    share: dict[tuple[str, str], float]
    drawn: int = 0

    pairs = ((0, 0), (0, 1), (1, 0))

    def names(self, pair: int) -> tuple[str, str]:
        return NAMES[pair]

    def block(self, rows: np.ndarray) -> PlanBlock:
        assert (np.diff(rows.astype(np.int64)) > 0).all()
        self.drawn += len(rows)
        pair = (rows % np.uint64(3)).astype(np.int64)
        luck = np.array([np.random.default_rng(int(row)).random() for row in rows])
        share = np.array([self.share.get(NAMES[one], 1.0) for one in pair])
        nothing = np.zeros(len(rows), np.int64)
        outcome = np.where(luck < share, PLACED, FITS_NOWHERE)
        return PlanBlock(rows.astype(np.int64), pair, nothing, nothing, nothing, outcome, [])


def dealt(top_up: TopUp) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for block in top_up.blocks():
        for row, pair, outcome in zip(block.row, block.pair, block.outcome, strict=True):
            if outcome == PLACED:
                found.setdefault(NAMES[pair], []).append(int(row))
    return found


def test_each_type_gets_what_it_lacks_and_no_other_row_is_drawn() -> None:
    planner = Dealing({})
    top_up = TopUp(planner, 1, {NAMES[0]: 5, NAMES[2]: 2, ("else", "where"): 7})
    found = dealt(top_up)
    assert {name: len(rows) for name, rows in found.items()} == {NAMES[0]: 5, NAMES[2]: 2}
    assert planner.drawn == 7
    assert top_up.lacking == {}


def test_rows_that_find_no_place_are_replaced() -> None:
    found = dealt(TopUp(Dealing({NAMES[1]: 0.2}), 1, {NAMES[1]: 40}))
    assert len(found[NAMES[1]]) == len(set(found[NAMES[1]])) == 40


def test_a_type_that_fits_nowhere_ends_and_is_still_lacking() -> None:
    planner = Dealing({NAMES[1]: 0.0})
    top_up = TopUp(planner, 1, {NAMES[0]: 3, NAMES[1]: 3})
    assert len(dealt(top_up)[NAMES[0]]) == 3
    assert top_up.lacking == {NAMES[1]: 3}
    assert planner.drawn <= FRUITLESS + 10


@pytest.mark.parametrize("number", [1, 2, 77])
def test_no_row_is_one_of_a_plan_or_of_another_top_up(number: int) -> None:
    found = dealt(TopUp(Dealing({}), number, dict.fromkeys(NAMES, 30)))
    rows = [row for some in found.values() for row in some]
    assert min(rows) >= number * ROWS
    assert max(rows) < (number + 1) * ROWS
    assert [row % 3 for row in found[NAMES[2]]] == [2] * 30


def test_more_that_is_lacking_begins_with_the_same_rows() -> None:
    few = dealt(TopUp(Dealing({NAMES[0]: 0.7}), 1, {NAMES[0]: 6}))
    many = dealt(TopUp(Dealing({NAMES[0]: 0.7}), 1, {NAMES[0]: 50, NAMES[1]: 9}))
    assert many[NAMES[0]][:6] == few[NAMES[0]]
