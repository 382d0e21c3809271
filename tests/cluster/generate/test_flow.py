"""How rows are cut into blocks, and how long the sleeping pipeline rests."""

from __future__ import annotations

import heapq
from pathlib import Path

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.data import drawn_metal
from adabldm.sampling.options import ExactOptions
from cluster.generate.flow import run
from cluster.generate.pool import SHARES, Pool, block_sizes
from cluster.generate.protocol import works_of
from cluster.generate.windows import pending_windows
from cluster.generate.worker import WorkerSettings
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from cluster.models.sleeping import SleepingPipeline
from cluster.storage.location import Location
from tests.cluster.generate.test_worker import work
from tests.support.making import checks_of, write_manifest


def pool(most: int, gpus: float = 0, batch_size: int = 4) -> Pool:
    return Pool(least=1, most=most, gpus=gpus, batch_size=batch_size)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 63, 64, 1000])
@pytest.mark.parametrize("most", [1, 2, 64])
@pytest.mark.parametrize("gpus", [0, 1])
def test_every_row_is_in_one_block_and_no_block_is_larger_than_a_batch(
    count: int, most: int, gpus: int
) -> None:
    sizes = block_sizes(count, pool(most, gpus))
    assert sum(sizes) == count
    assert all(1 <= size <= 4 for size in sizes)
    assert sizes == sorted(sizes, reverse=True)


def test_blocks_shrink_towards_the_end_so_that_all_workers_have_some() -> None:
    sizes = block_sizes(10_000, pool(8, batch_size=16))
    assert sizes[0] == 16
    assert sizes[-8 * SHARES :].count(1) >= 8 * SHARES - 1


def test_a_gpu_and_a_single_worker_get_full_blocks() -> None:
    for one in (pool(8, gpus=1), pool(1)):
        assert block_sizes(10, one) == [4, 4, 2]


def test_a_pools_workers_compute_on_what_they_hold() -> None:
    assert [pool(1, gpus).device for gpus in (0, 0.5, 2)] == ["cpu", "cuda", "cuda"]


def share(sizes: list[int], rests: np.ndarray, workers: int) -> float:
    """Busy share when each block goes to the worker with the fewest blocks in hand, of which each
    takes at most as many as the pool has it; no time is lost between blocks."""
    ends, queued = [0.0] * workers, pool(workers).queued
    held: list[list[float]] = [[] for _ in range(workers)]
    now, row = 0.0, 0
    for size in sizes:
        while min(map(len, held)) >= queued:
            now = min(times[0] for times in held)
            for times in held:
                while times and times[0] <= now:
                    heapq.heappop(times)
        worker = min(range(workers), key=lambda one: len(held[one]))
        ends[worker] = max(ends[worker], now) + rests[row : row + size].sum()
        heapq.heappush(held[worker], ends[worker])
        row += size
    return float(rests.sum() / (workers * max(ends)))


def test_uneven_requests_keep_64_workers_busy_to_the_end() -> None:
    """Without what Ray costs; with equal blocks it is several percent less."""
    one = SleepingPipeline("sleep://100?spread=4")
    rests = np.array([one._rest(seed) for seed in range(64 * 60)])
    assert share(block_sizes(len(rests), pool(64)), rests, 64) > 0.97
    assert share([4] * (len(rests) // 4), rests, 64) < 0.96


def test_a_pool_grows_while_rows_are_waiting(ray_address: str, tmp_path: Path) -> None:
    manifest = Manifest(str(write_manifest(tmp_path / "in", 80)))
    checks = checks_of(manifest, "sleep://600")
    roster = validate(manifest, checks)
    (window,) = pending_windows(manifest, checks, roster, 80)
    roster.close()
    place = Location.of(str(tmp_path / "out"))
    settings = WorkerSettings(output=place, options=ExactOptions(), device="cpu")
    flow = run([window.ordered()], 80, pool(3), settings)
    facts = [row for table in flow for row in table.to_pylist()]
    assert len(facts) == 80
    assert len({dict(row["quality"])["worker"] for row in facts}) > 1


def test_one_pool_works_through_all_windows(ray_address: str, tmp_path: Path) -> None:
    works = works_of(work(tmp_path / "in", "sleep://0", 60))
    place = Location.of(str(tmp_path / "out"))
    settings = WorkerSettings(output=place, options=ExactOptions(), device="cpu")
    windows = [works[start : start + 10] for start in range(0, 60, 10)]
    flow = run(windows, 60, Pool(least=2, most=2, gpus=0, batch_size=2), settings)
    facts = [row for table in flow for row in table.to_pylist()]
    assert {row["request_id"] for row in facts} == {one.request_id for one in works}
    assert len(facts) == 60
    assert len({row["made_by"] for row in facts}) <= 2


def test_uneven_rests_have_their_mean_and_are_a_function_of_the_seed() -> None:
    one = SleepingPipeline("sleep://100?spread=4")
    rests = np.array([one._rest(seed) for seed in range(-500, 1500)])
    assert rests.mean() == pytest.approx(0.1, rel=0.02)
    assert 3.8 < rests.max() / rests.min() <= 4
    assert SleepingPipeline("sleep://100?spread=4")._rest(7) == one._rest(7)
    assert SleepingPipeline("sleep://100")._rest(7) == 0.1
    with pytest.raises(ValueError, match=r"spread: 0.5: must be 1 or more"):
        SleepingPipeline("sleep://100?spread=0.5")


def test_a_trace_tells_when_each_request_of_a_call_woke() -> None:
    part = drawn_metal.draw_part(0, 32, "crack")
    made = SleepingPipeline("sleep://20?spread=3")(
        images=[part.image] * 3,
        trimaps=[trimap.compose(part.mask)] * 3,
        prompts=["a crack"] * 3,
        seeds=[1, 2, 3],
    )
    woke = [trace.quality["woke"] for trace in made.traces]
    rests = [trace.seconds["sleep"] for trace in made.traces]
    assert np.diff(woke) == pytest.approx(rests[1:], abs=1e-5)
