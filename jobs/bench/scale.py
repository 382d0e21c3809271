"""What a job of millions costs its driver: commits, a pool of hundreds, a resume.

The workers are simulated in this process: each gives the facts of its calls back after a rest, so
that what is measured is everything but them (windows, calls, facts, rows, commits). A ledger of
full size has all rows, with ids and fingerprints of their own; the other columns are the same in
all, so that it is made in minutes.

    python -m jobs.bench.scale commits --rows 10000000
    python -m jobs.bench.scale pool --workers 512
    python -m jobs.bench.scale resume --rows 10000000 --pending 100000
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from adabldm.sampling.options import ExactOptions
from cluster.generate.driver import Driver
from cluster.generate.pool import Pool
from cluster.generate.resume import mark_committed
from cluster.generate.settings import WorkerSettings
from cluster.generate.settling import Settling
from cluster.generate.windows import FIRST_ROWS, pending_windows
from cluster.manifest.roster import Roster
from cluster.manifest.validation import validate
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.storage.location import Location
from jobs.bench.scale_inputs import (
    MODEL,
    PICTURE,
    PRINT,
    checks_of,
    filled_ledger,
    filled_roster,
    index_rows,
    write_manifest,
)
from jobs.bench.sleepers import Sleepers

app = typer.Typer(add_completion=False)


def main() -> None:
    """Run one of the measurements."""
    app()


@app.command()
def commits(rows: int = 10_000_000, number: int = 600, size: int = 1000) -> None:
    """So many commits of ``size`` rows onto an index of ``rows``: what the first and the last take.

    Merging included: it is in the mean of the hundred that it falls into.
    """
    with tempfile.TemporaryDirectory() as folder:
        ledger = filled_ledger(Path(folder), rows)
        typer.echo(f"an index of {rows} rows: {_memory()}")
        seconds, spent = [], []
        for at in range(number):
            some = index_rows(rows + at * size, size)
            began, cpu = time.perf_counter(), time.process_time()
            ledger.append(some)
            seconds.append(time.perf_counter() - began)
            spent.append(time.process_time() - cpu)
            if (at + 1) % 100 == 0:
                last, of_it = np.array(seconds[-100:]) * 1e3, np.array(spent[-100:]) * 1e3
                typer.echo(
                    f"commits {at - 98}..{at + 1}: median {np.median(last):.0f} ms, mean "
                    f"{last.mean():.0f} ms, longest {last.max():.0f} ms; of processor median "
                    f"{np.median(of_it):.0f} ms, mean {of_it.mean():.0f} ms; {_memory()}"
                )
        log = sum(file.stat().st_size for file in Path(folder, "index/_delta_log").iterdir())
        typer.echo(f"the log is {log / 1e6:.1f} MB, the index {_megabytes(Path(folder)):.0f} MB")


@app.command()
def pool(
    workers: Annotated[list[int], typer.Option()] = [1, 64, 512],  # noqa: B006
    rest: float = 2.0,
    requests: int = 30,
) -> None:
    """A driver of so many simulated workers, each making ``requests``, of ``rest`` seconds each."""
    for number in workers:
        with tempfile.TemporaryDirectory() as folder:
            _drive(Path(folder), number, rest, number * requests)


@app.command()
def resume(rows: int = 10_000_000, pending: int = 100_000) -> None:
    """How long it takes from a check that is remembered to the first window of what is left."""
    with tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        manifest, checks = checks_of(write_manifest(folder / "in", rows))
        done = rows - pending
        kept = folder / "roster.db"
        began = time.perf_counter()
        with closing(filled_roster(manifest, checks, done)) as roster:
            roster.keep(kept)
        filled_ledger(folder / "out", done)
        typer.echo(f"drawn in {time.perf_counter() - began:.0f} s; {_memory()}")
        began, spent = time.perf_counter(), time.process_time()
        with closing(Roster(kept)) as roster:
            _told("the remembered check is here", began, spent)
            mark_committed(manifest, Ledger(Location.of(str(folder / "out"))), roster)
            _told(f"{roster.count(done=True)} rows are marked", began, spent)
            window = next(pending_windows(manifest, checks, roster, first=FIRST_ROWS))
            _told(f"the first window, of {len(window.work)}", began, spent)


def _told(what: str, began: float, spent: float) -> None:
    wall, cpu = time.perf_counter() - began, time.process_time() - spent
    typer.echo(f"{what} after {wall:.1f} s ({cpu:.1f} s of processor); {_memory()}")


def _drive(folder: Path, workers: int, rest: float, rows: int) -> None:
    manifest, checks = checks_of(write_manifest(folder / "in", rows))
    output = Location.of(str(folder / "out"))
    output.join(PICTURE).write(b"")
    ledger = Ledger(output)
    ledger.claim(INDEX)
    with closing(validate(manifest, checks)) as roster:
        before = _resident()
        began, spent = time.perf_counter(), time.process_time()
        sleepers = Sleepers(workers, rest)
        driver = Driver(
            ledger=ledger,
            schema=INDEX,
            pool=Pool(least=workers, most=workers, gpus=0, batch_size=4),
            settings=WorkerSettings(output=output, options=ExactOptions(), device="cpu"),
            workers=sleepers,
            model=MODEL,
            config_fingerprint=PRINT,
            progress=lambda *_: None,
            settling=Settling(manifest.place, MODEL),
            rows=rows,
        )
        windows = pending_windows(manifest, checks, roster, first=FIRST_ROWS)
        tally = driver.drive(windows)
        wall, cpu = time.perf_counter() - began, time.process_time() - spent
    busy = rows * rest / (workers * wall)
    typer.echo(
        f"{workers} workers, {tally.committed} requests of {rest:g} s in {wall:.1f} s: busy "
        f"{busy:.1%}; all had work after {sleepers.all_given - began:.2f} s; "
        f"{cpu / rows * 1e3:.2f} ms of processor a request; "
        f"{_resident() - before:+.0f} MB, {_memory()}; commits {ledger.version - 1}"
    )


def _resident() -> float:
    """MB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _memory() -> str:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return f"{_resident():.0f} MB of memory, peak {peak:.0f}"


def _megabytes(folder: Path) -> float:
    files: Iterator[Path] = (file for file in folder.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files) / 1e6


if __name__ == "__main__":
    main()
