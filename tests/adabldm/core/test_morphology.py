"""Connected parts of a mask: small ones go, or only the largest stays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from adabldm.core.morphology import Neighbours, largest_part, without_crumbs

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))
neighbours = st.sampled_from((4, 8))


def parts(mask: np.ndarray, connected: Neighbours) -> list[frozenset[tuple[int, int]]]:
    """The pixels of each part, found by walking from neighbour to neighbour."""
    left = set(map(tuple, np.argwhere(mask).tolist()))
    steps = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    steps += [(a, b) for a in (-1, 1) for b in (-1, 1)] if connected == 8 else []
    found = []
    while left:
        reached, border = set(), {min(left)}
        while border:
            reached |= border
            left -= border
            border = {(y + a, x + b) for y, x in border for a, b in steps} & left
        found.append(frozenset(reached))
    return found


def pixels(mask: np.ndarray) -> set[tuple[int, int]]:
    return set(map(tuple, np.argwhere(mask).tolist()))


@given(masks, neighbours, st.floats(0, 1))
def test_a_part_stays_if_it_has_the_share_of_the_largest(
    mask: np.ndarray, connected: Neighbours, least: float
) -> None:
    found = parts(mask, connected)
    largest = max(map(len, found), default=0)
    kept = set().union(*(part for part in found if len(part) >= least * largest))
    assert pixels(without_crumbs(mask, least, connected)) == kept


@given(masks, neighbours)
def test_the_first_of_the_largest_parts_stays_alone(
    mask: np.ndarray, connected: Neighbours
) -> None:
    kept = max(parts(mask, connected), key=len, default=frozenset())
    assert pixels(largest_part(mask, connected)) == kept
