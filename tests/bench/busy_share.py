"""How busy many workers are with requests of uneven length: ``python -m tests.bench.busy_share``.

The pipeline sleeps, so that the workers are logical and only the flow of requests costs. The first
request is given out when all workers are up: that 64 processes start one after the other on a few
cores is no part of the flow. The busy share is all sleep over workers times wall time, from the
first rest to the last, tail included; beside it stands the share from when the last worker began
its first rest.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adabldm.sampling.options import ExactOptions
from cluster.generate.flow import run
from cluster.generate.pool import Pool
from cluster.generate.windows import pending_windows
from cluster.generate.worker import WorkerSettings
from cluster.launch.session import ray_session
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from cluster.storage.location import Location
from tests.support.making import checks_of, write_manifest

START_SECONDS = 3600
MILLISECONDS = 8000
"""An image's mean rest. 64 workers on a few cores need a long one: with short ones what is measured
is how many requests a second those cores can pass on, not how even the work is shared out."""


@dataclass(frozen=True)
class Rests:
    """When each request's rest ended (seconds since 1970), how long it was, by which process."""

    woke: np.ndarray
    seconds: np.ndarray
    worker: np.ndarray

    @property
    def began(self) -> np.ndarray:
        return self.woke - self.seconds

    @property
    def all_at_work(self) -> float:
        """When the last worker began its first rest."""
        return max(self.began[self.worker == one].min() for one in np.unique(self.worker))

    def busy_share(self, since: float, workers: int) -> float:
        """Rest over workers times wall time, from ``since`` to the end."""
        rest = np.clip(self.woke - np.maximum(self.began, since), 0, None).sum()
        return float(rest / (workers * (self.woke.max() - since)))

    def tail(self) -> float:
        """Seconds from when the first worker had nothing left to the end."""
        ends = [self.woke[self.worker == one].max() for one in np.unique(self.worker)]
        return max(ends) - min(ends)


def wait_for_all() -> None:
    """Let the flow give out nothing before all workers are up."""
    from ray.data import DataContext

    DataContext.get_current().wait_for_min_actors_s = START_SECONDS


def rests_of(workers: int, requests: int, model: str, batch: int) -> Rests:
    """Make ``requests`` requests a worker through Ray."""
    with tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        rows = workers * requests
        manifest = Manifest(str(write_manifest(folder / "in", rows)))
        checks = checks_of(manifest, model)
        roster = validate(manifest, checks)
        (window,) = pending_windows(manifest, checks, roster, rows)
        roster.close()
        settings = WorkerSettings(
            output=Location.of(str(folder / "out")), options=ExactOptions(), device="cpu"
        )
        pool = Pool(least=workers, most=workers, gpus=0, batch_size=batch)
        found = []
        with ray_session(workers, 0):
            wait_for_all()
            for facts in run([window.ordered()], rows, pool, settings):
                for fact in facts.to_pylist():
                    assert fact["status"] == "ok"
                    figures = dict(fact["quality"])
                    rest = dict(fact["seconds"])["sleep"]
                    found.append((figures["woke"], rest, figures["worker"]))
    assert len(found) == rows
    return Rests(*np.array(found).T)


def main() -> None:
    """Print the busy shares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--requests", type=int, default=60, help="a worker")
    parser.add_argument("--milliseconds", type=float, default=MILLISECONDS)
    parser.add_argument("--spread", type=float, default=4)
    parser.add_argument("--batch", type=int, default=4)
    asked = parser.parse_args()
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    model = f"sleep://{asked.milliseconds}?spread={asked.spread}"
    rests = rests_of(asked.workers, asked.requests, model, asked.batch)
    first, all_at_work, end = rests.began.min(), rests.all_at_work, rests.woke.max()
    used = len(np.unique(rests.worker))
    print(
        f"{asked.workers} workers ({used} had work), {asked.requests} requests each, {model}, "
        f"{asked.batch} a call:"
    )
    print(
        f"  busy {rests.busy_share(first, asked.workers):.1%} from the first rest to the last "
        f"({end - first:.1f} s)"
    )
    print(
        f"  busy {rests.busy_share(all_at_work, asked.workers):.1%} from when all were at work, "
        f"{all_at_work - first:.1f} s later, to the last ({end - all_at_work:.1f} s)"
    )
    print(f"  tail {rests.tail():.2f} s")


if __name__ == "__main__":
    main()
