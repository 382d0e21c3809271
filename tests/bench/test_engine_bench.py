"""What the engine costs: beside a plain loop, and at its ceiling. Prints; asserts no times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from adabldm.sampling.options import ExactOptions
from cluster.generate.flow import run
from cluster.generate.pool import Pool
from cluster.generate.windows import PendingWindow, pending_windows
from cluster.generate.worker import Worker, WorkerSettings
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from cluster.storage.location import Location
from tests.support.making import checks_of, write_manifest

LOOP_REQUESTS, CEILING_REQUESTS = 24, 400
OPTIONS = ExactOptions(steps=10, adaptation_steps=5)


def window_of(folder: Path, model: str, rows: int) -> PendingWindow:
    manifest = Manifest(str(write_manifest(folder, rows)))
    checks = checks_of(manifest, model)
    roster = validate(manifest, checks)
    (window,) = pending_windows(manifest, checks, roster, rows)
    roster.close()
    return window


def settings(output: Path) -> WorkerSettings:
    return WorkerSettings(output=Location.of(str(output)), options=OPTIONS, device="cpu")


class Clock:
    """Moments since it was made: the first rows and all rows."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.arrivals: list[tuple[float, int]] = []

    def arrived(self, rows: int) -> None:
        self.arrivals.append((time.perf_counter() - self.began, rows))

    @property
    def first(self) -> float:
        return self.arrivals[0][0]

    @property
    def steady_rate(self) -> float:
        """Rows a second after the first arrival."""
        rows = sum(count for _, count in self.arrivals[1:])
        return rows / (self.arrivals[-1][0] - self.first)


@contextmanager
def told(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    with capsys.disabled():
        print()
        yield


def hashes(facts: pa.Table) -> dict[str, str]:
    """Each request's image by its sha256; a rate over failed requests would be worth nothing."""
    assert set(facts["status"].to_pylist()) == {"ok"}
    names, prints = facts["request_id"].to_pylist(), facts["image_sha256"].to_pylist()
    return dict(zip(names, prints, strict=True))


def stored_rate(output: Path, call: int) -> float:
    """Images a second from when the first ``call`` of them were stored. Facts would not do: Ray
    holds the first ones back until more are there, which makes the rest look quicker."""
    stored = sorted(path.stat().st_mtime for path in output.glob("*/test/*/*.png"))
    return (len(stored) - call) / (stored[-1] - stored[call - 1])


def through_ray(window: PendingWindow, pool: Pool, output: Path) -> tuple[Clock, dict[str, str]]:
    clock, made = Clock(), {}
    for facts in run([window.ordered()], len(window.work), pool, settings(output)):
        if facts.num_rows:
            made.update(hashes(facts))
            clock.arrived(facts.num_rows)
    return clock, made


def test_ray_against_a_plain_loop(
    ray_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    window = window_of(tmp_path / "in", "embedded", LOOP_REQUESTS)
    plain, made = Clock(), {}
    worker = Worker(settings(tmp_path / "plain"))
    table = window.table()
    for start in range(0, table.num_rows, 2):
        facts = worker(table.slice(start, 2))
        made.update(hashes(facts))
        plain.arrived(facts.num_rows)
    pool = Pool(least=1, most=1, gpus=0, batch_size=2)
    ray, made_by_ray = through_ray(window, pool, tmp_path / "ray")
    assert made_by_ray == made
    assert len(made) == LOOP_REQUESTS
    with told(capsys):
        print(f"embedded model, one worker, {LOOP_REQUESTS} requests, images/s after the first:")
        alone, through = (stored_rate(tmp_path / way, 2) for way in ("plain", "ray"))
        print(f"  plain loop {alone:.3f}, through Ray {through:.3f}, ratio {through / alone:.2f}")
        print(f"  first images after {plain.first:.1f} s and {ray.first:.1f} s")


@pytest.mark.parametrize("workers", [1, 4])
def test_the_ceiling_with_a_pipeline_that_sleeps(
    workers: int, ray_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = CEILING_REQUESTS * workers // 4
    window = window_of(tmp_path / "in", "sleep://50", requests)
    pool = Pool(least=workers, most=workers, gpus=0, batch_size=4)
    clock, made = through_ray(window, pool, tmp_path / "out")
    assert len(made) == requests
    limit = workers / 0.050
    with told(capsys):
        print(f"50 ms an image, {workers} worker(s), {requests} requests:")
        print(f"  {clock.steady_rate:.1f} requests/s of {limit:.0f} possible", end="")
        print(f", first image after {clock.first:.1f} s (Ray was up)")


def test_how_fast_a_manifest_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = 20_000
    manifest = Manifest(str(write_manifest(tmp_path / "in", rows)))
    began = time.perf_counter()
    roster = validate(manifest, checks_of(manifest))
    checked = time.perf_counter() - began
    assert roster.count() == rows
    roster.close()
    with told(capsys):
        print(f"manifest: {rows / checked:.0f} rows checked a second")
