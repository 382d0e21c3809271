"""What was used last stays, within the bytes."""

from __future__ import annotations

import pytest

from adabldm.core.byte_cache import ByteCache


@pytest.fixture
def cache() -> ByteCache[str, bytes]:
    return ByteCache(10, len)


def test_what_was_used_longest_ago_goes_first(cache: ByteCache[str, bytes]) -> None:
    cache["a"], cache["b"] = b"1234", b"1234"
    assert cache.get("a") == b"1234"
    cache["c"] = b"123456"
    assert set(cache) == {"a", "c"}
    assert cache.currsize == 10


@pytest.mark.parametrize("limit", [0, 10])
def test_the_newest_stays_even_if_it_alone_is_too_large(limit: int) -> None:
    cache: ByteCache[str, bytes] = ByteCache(limit, len)
    for name in ("a", "b", "c"):
        cache[name] = b"0" * 11
        assert list(cache) == [name]
    cache["d"] = b"1"
    assert list(cache) == ["d"]


def test_a_value_that_is_set_again_counts_once(cache: ByteCache[str, bytes]) -> None:
    cache["a"], cache["b"] = b"12345", b"12345"
    cache["a"] = b"1234"
    assert list(cache) == ["b", "a"]
    assert cache.currsize == 9


def test_room_is_made_before_a_value_is(cache: ByteCache[str, bytes]) -> None:
    cache["a"], cache["b"] = b"1234", b"1234"
    cache.make_room(6)
    assert list(cache) == ["b"]
    cache.make_room(99)
    assert not cache
