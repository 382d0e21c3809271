"""Where an output's files are, in one folder or spread over many."""

from __future__ import annotations

from collections import Counter

import pytest

from cluster.output.paths import default_shards, extra_key, image_key, mask_key, shard_of


def test_without_shards_files_are_where_they_always_were() -> None:
    assert image_key("plate", "crack", "a") == "plate/test/crack/a.png"
    assert mask_key("plate", "crack", "a") == "plate/ground_truth/crack/a_mask.png"
    assert extra_key("a", "source") == "extras/a_source.png"


def test_all_files_of_a_request_are_in_one_shard_that_its_id_tells() -> None:
    shard = shard_of("a", 256)
    assert shard == "ca/"
    assert image_key("plate", "crack", "a", 256) == f"plate/test/crack/{shard}a.png"
    assert mask_key("plate", "crack", "a", 256) == f"plate/ground_truth/crack/{shard}a_mask.png"
    assert extra_key("a", "source", 256) == f"extras/{shard}a_source.png"


@pytest.mark.parametrize("shards", [2, 16, 17, 1024])
def test_shards_are_filled_evenly(shards: int) -> None:
    found = Counter(shard_of(f"r{number}", shards) for number in range(50 * shards))
    assert len(found) == shards
    assert max(found.values()) < 110
    assert {len(name) for name in found} == {len(f"{shards - 1:x}/")}


def test_a_folder_gets_about_ten_thousand_files_if_nobody_says() -> None:
    assert [default_shards(rows) for rows in (1, 10_000, 10_001, 10**5, 10**7)] == [
        0, 0, 2, 16, 1024,
    ]  # fmt: skip
