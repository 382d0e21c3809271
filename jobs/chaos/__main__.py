"""``python -m jobs.chaos``: exit code 0 if nothing is lost, doubled, different or left over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jobs.chaos.clock import Clock
from jobs.chaos.crew import Crew
from jobs.chaos.faulty_store import FaultyStore
from jobs.chaos.inputs import sleeping, write_manifest
from jobs.chaos.local_cluster import LocalCluster
from jobs.chaos.outputs import Bucket, Disk, Output, small_disks_work
from jobs.chaos.own_ray import LOOPBACK, PLACE, free_port
from jobs.chaos.rounds import Ended, Job, run_round, undisturbed
from jobs.chaos.schedule import KINDS, ROWS, Pending, draw_schedule
from jobs.chaos.strikes import World
from jobs.chaos.table import show

REST = 600
"""Milliseconds that the sleeping pipeline takes a draw."""
WORDS = ("--workers", "2:4", "--batch-size", "2", "--mode", "fast", "--keep", "source")
TIME_LIMIT = 8


def main(
    faults: Annotated[int, typer.Option(min=1, help="How many faults the schedule has.")] = 200,
    seed: Annotated[int, typer.Option(help="What the schedule is drawn from.")] = 0,
    requests: Annotated[int, typer.Option(min=8, help="Requests of a round.")] = 240,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes beside the head.")] = 3,
    model: Annotated[
        str, typer.Option(help="'sleep', or a model's URI, in which no row does harm.")
    ] = "sleep",
    pace: Annotated[
        float,
        typer.Option(min=0.1, help="Stretches the time between faults; 1 is for 2 idle cores."),
    ] = 1.0,
    log: Annotated[bool, typer.Option("--log", help="Print each fault as it strikes.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with all it made.")] = False,
) -> None:
    """Strike generate with faults until the schedule is done."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    console = Console(width=110)
    sleeps = model == "sleep"
    harmful = ROWS if sleeps else ()
    began = time.monotonic()
    with _world(nodes, seed, keep, console) as (folder, cluster, store, clock, upstream):
        kinds = {name: kind for name, kind in KINDS.items() if _can(name, clock, folder, console)}
        manifest = write_manifest(folder / "in", requests, seed, harmful)
        limit = ("--time-limit", str(TIME_LIMIT)) if sleeps else ()
        job = Job(model=sleeping(REST) if sleeps else model, words=(*WORDS, *limit))
        quick = Job(model=sleeping(0) if sleeps else model, words=job.words)
        wanted = undisturbed(quick, str(manifest), folder / "undisturbed", _new(folder, "quiet"))
        console.print(f"undisturbed: {len(wanted)} requests, {time.monotonic() - began:.0f} s")
        rounds: list[Ended] = []
        pending = Pending(draw_schedule(seed, faults - len(harmful), kinds))
        while (place := pending.next_place()) is not None:
            number = len(rounds)
            output: Output = (
                Bucket(upstream, f"round-{number}", manifest)
                if place == "s3"
                else Disk(folder / f"disk-{number}", manifest)
            )
            said = _new(folder, f"round-{number}")
            crew = Crew(job.command(output.manifest, output.output), said, {})
            world = World(
                cluster=cluster, crew=crew, store=store, output=output, clock=clock, pace=pace
            )
            tell = console.print if log else _quiet
            with closing(output), closing(crew):
                rounds.append(run_round(job, world, pending, wanted, said, tell))
            console.print(
                f"round {number}: {place}, {rounds[-1].struck.total()} faults, "
                f"{rounds[-1].seconds:.0f} s; {len(pending)} to come"
            )
            if any("stuck" in line for line in rounds[-1].faults):
                break
        rows = Counter({name: len(rounds) for name in harmful})
        fine = show(rounds, rows, console)
        console.print(f"requests struck by the store: {dict(store.hits)}")
    console.print(f"{time.monotonic() - began:.0f} s, seed {seed}")
    sys.exit(0 if fine else 1)


@contextmanager
def _world(
    nodes: int, seed: int, keep: bool, console: Console
) -> Iterator[tuple[Path, LocalCluster, FaultyStore, Clock, str]]:
    """A folder, a cluster, a store, a clock, and the store's own address; gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=PLACE))
    with ExitStack() as stack:
        if keep:
            console.print(f"all of it is kept in {folder}")
        else:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        os.environ.update(
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",  # noqa: S106
            AWS_DEFAULT_REGION="us-east-1",
            XDG_CACHE_HOME=str(folder / "cache"),
        )  # fmt: skip
        upstream = stack.enter_context(_server())
        store = FaultyStore(upstream, seed)
        stack.callback(store.close)
        os.environ["AWS_ENDPOINT_URL"] = store.endpoint
        clock = Clock(folder)
        cluster = LocalCluster(nodes, folder / "ray")
        stack.callback(cluster.close)
        yield folder, cluster, store, clock, upstream


@contextmanager
def _server() -> Iterator[str]:
    """Moto's S3 server, a program of its own."""
    import urllib.request

    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://{LOOPBACK}:{port}/moto-api/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.kill()
        process.wait()


def _can(name: str, clock: Clock, folder: Path, console: Console) -> bool:
    """Whether this machine lets that fault be made; says if not."""
    if name == "clock jump" and not clock.works:
        console.print("left out: clock jump (there is no C compiler)")
        return False
    if name == "disk full":
        probe = folder / "probe"
        probe.mkdir()
        if not small_disks_work(probe):
            console.print("left out: disk full (this program may not mount a small disk)")
            return False
        subprocess.run(["umount", str(probe)], check=False)
    return True


def _new(folder: Path, name: str) -> Path:
    made = folder / "said" / name
    made.mkdir(parents=True)
    return made


def _quiet(_: str) -> None:
    """Nothing is told."""


if __name__ == "__main__":
    typer.run(main)
