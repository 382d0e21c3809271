"""Chance by purpose: the same for the same arguments, and shared by no two purposes."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adabldm.core.random_streams import RowStreams, stream

ROOT = Path(__file__).parents[3]
LISTS_ALLOWED = {
    "adabldm/data/drawn_metal.py": "its pictures are part of what the embedded model was made of",
    "cluster/models/sleeping.py": "a request has one draw there, of the length of its sleep",
}
"""Files that seed a generator with a list, and why."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the sources, with its file."""
    for package in ("adabldm", "cluster", "jobs"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    yield str(path.relative_to(ROOT)), node


def named(call: ast.Call, *names: str) -> bool:
    function = call.func
    found = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return found in names


def test_the_same_arguments_give_the_same_numbers():
    once, again = stream(3, "place", 7, 2), stream(3, "place", 7, 2)
    assert np.array_equal(once.random(50), again.random(50))
    assert np.array_equal(stream(np.int64(3), "place", np.int64(7)).random(5),
                          stream(3, "place", 7).random(5))  # fmt: skip


def test_other_seeds_purposes_and_indices_share_no_numbers():
    keys = [
        (0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), (0, "a", 0, 1), (0, "a", 1, 0),
        (0, "a", 10), (0, "a/1"), (0, "a, 1"), (1, "a", 1),
    ]  # fmt: skip
    drawn = np.concatenate([stream(*key).random(100) for key in keys])
    assert len(np.unique(drawn)) == len(drawn)


def test_two_purposes_are_independent_over_the_indices():
    first = np.array([stream(0, "kind", index).random() for index in range(2000)])
    second = np.array([stream(0, "window", index).random() for index in range(2000)])
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.08
    following = np.corrcoef(first[:-1], first[1:])[0, 1]
    assert abs(following) < 0.08
    assert first.mean() == pytest.approx(0.5, abs=0.03)


def test_numbers_of_rows_do_not_change_between_releases():
    rows, streams = np.arange(5, dtype=np.uint64), RowStreams(7)
    assert streams.bits("x", rows[:3]).tolist() == [
        14177492450572045114, 1050644201599361350, 14977940953035312963,
    ]  # fmt: skip
    assert streams.below("place", rows, 100).tolist() == [40, 57, 3, 67, 33]
    assert streams.generator("shapes").integers(1000, size=4).tolist() == [424, 732, 775, 341]


def test_no_file_seeds_a_generator_with_a_list():
    """Two lists that are equal make two purposes one."""
    listed = {
        file
        for file, call in calls()
        if named(call, "default_rng", "SeedSequence")
        and any(isinstance(one, ast.List | ast.Tuple) for one in call.args)
    }
    assert listed == set(LISTS_ALLOWED)


def test_every_purpose_of_a_stream_is_used_in_one_place():
    purposes = Counter(
        ast.unparse(call.args[1])
        for _, call in calls()
        if named(call, "stream") and len(call.args) > 1
    )
    assert len(purposes) >= 7
    assert {purpose for purpose, count in purposes.items() if count > 1} == set()
