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

import hashlib
import heapq
import os
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer

from adabldm.core import trimap
from adabldm.core.images import encode_png
from adabldm.data.drawn_metal import draw_part
from adabldm.sampling.options import ExactOptions
from cluster.generate.driver import Driver
from cluster.generate.pool import Pool
from cluster.generate.protocol import OK, Fact, Work, fact_table
from cluster.generate.resume import mark_committed
from cluster.generate.settings import WorkerSettings
from cluster.generate.settling import Settling
from cluster.generate.windows import FIRST_ROWS, pending_windows
from cluster.generate.workers import Call, Held, Outcome
from cluster.manifest.reader import Manifest, Row
from cluster.manifest.request_checks import Fingerprints, RequestChecks, fingerprints
from cluster.manifest.roster import Roster
from cluster.manifest.schema import SCHEMA
from cluster.manifest.validation import validate
from cluster.models.inspect import ModelFacts
from cluster.models.row_models import RowModels
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.storage.location import Location

app = typer.Typer(add_completion=False)
MODEL, PRINT = "sleep://0", "0" * 64
PART = 100_000
"""Rows of a row group, and of a commit that fills a ledger."""
PICTURE = "plate/test/crack/one.png"


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
        manifest, checks = _checks(write_manifest(folder / "in", rows))
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
    manifest, checks = _checks(write_manifest(folder / "in", rows))
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


class Sleepers:
    """Simulated workers: a call comes back after ``rest`` seconds a request. One call is under way
    in each, another waits."""

    def __init__(self, number: int, rest: float) -> None:
        self._rest, self._number = rest, number
        self._idle = [Held(None, node="here") for _ in range(number)]
        self._free = list(self._idle)
        self._ends: dict[int, float] = {}
        self._calls: list[tuple[float, int, Held, Call]] = []
        self._count = count()
        self.all_given = 0.0
        """When every worker had its first call."""

    def want(self, number: int) -> None:
        """They are there."""

    def spare(self, number: int) -> None:
        """They stay."""

    def free(self, *, idle: bool = False) -> Held | None:
        """As :class:`cluster.generate.workers.Workers` has it."""
        del idle
        return self._free[-1] if self._free else None

    def give(self, worker: Held, call: Call) -> None:
        """It comes back later."""
        worker.under_way += 1
        self._free.pop()
        if worker.under_way == 1:
            self._free.insert(0, worker)
        end = max(self._ends.get(worker.number, 0.0), time.perf_counter())
        end += self._rest * len(call.works)
        self._ends[worker.number] = end
        if len(self._ends) == self._number and not self.all_given:
            self.all_given = time.perf_counter()
        heapq.heappush(self._calls, (end, next(self._count), worker, call))

    def next(self, seconds: float) -> Outcome | None:
        """The call that comes back first, if it does in so long."""
        if not self._calls or self._calls[0][0] - time.perf_counter() > seconds:
            time.sleep(seconds)
            return None
        end, _, worker, call = heapq.heappop(self._calls)
        time.sleep(max(0.0, end - time.perf_counter()))
        worker.under_way -= 1
        self._free.append(worker)
        return Outcome(worker, call, facts=fact_table(map(self._fact, call.works)))

    def leave(self, worker: Held) -> None:
        """They stay."""

    def avoid(self, nodes: Collection[str]) -> None:
        """They stay."""

    def end(self) -> None:
        """They are gone."""

    def seconds(self) -> float:
        """None are paid for."""
        return 0.0

    def _fact(self, work: Work) -> Fact:
        digest = hashlib.sha256(work.request_id.encode()).hexdigest()
        return Fact(
            request_id=work.request_id,
            status=OK,
            image=PICTURE,
            mask=PICTURE,
            image_sha256=digest,
            mask_sha256=digest[::-1],
            extras=[],
            quality=[("coverage", 0.5), ("seam", 1.0)],
            seconds=[("sleep", self._rest), ("store", 0.1)],
            made_by="here:1",
            node="here",
        )


def _id(number: int) -> str:
    return f"plate-crack-s1-{number:09d}"


def _print(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def write_manifest(folder: Path, rows: int) -> Path:
    """A manifest of so many requests with one picture."""
    files = folder / "files"
    files.mkdir(parents=True)
    part = draw_part(0, 48, "blowhole")
    (files / "good.png").write_bytes(encode_png(part.image))
    (files / "trimap.png").write_bytes(encode_png(trimap.compose(part.mask)))
    path = folder / "manifest.parquet"
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for start in range(0, rows, PART):
            numbers = range(start, min(rows, start + PART))
            writer.write_table(pa.Table.from_pylist([_asked(n) for n in numbers[:1]], SCHEMA))
            writer.write_table(_many(numbers[1:]))
    return path


def _asked(number: int) -> Row:
    return {
        "request_id": _id(number),
        "object": "plate",
        "defect": "crack",
        "image": {"bytes": None, "path": "files/good.png"},
        "trimap": {"bytes": None, "path": "files/trimap.png"},
        "prompt": "a crack in a plate",
        "seed": number,
    }


def _many(numbers: range) -> pa.Table:
    """As :func:`_asked`, quickly."""
    one = pa.Table.from_pylist([_asked(0)], SCHEMA)
    same = one.take(pa.array(np.zeros(len(numbers), np.int64)))
    ids, seeds = pa.array([_id(n) for n in numbers]), pa.array(numbers, pa.int64())
    same = same.set_column(0, SCHEMA.field("request_id"), ids)
    return same.set_column(SCHEMA.get_field_index("seed"), SCHEMA.field("seed"), seeds)


def _checks(path: Path) -> tuple[Manifest, RequestChecks]:
    manifest = Manifest(str(path))

    def inspect(uri: str) -> ModelFacts:
        return ModelFacts(uri=uri, fingerprint=PRINT)

    return manifest, RequestChecks(
        manifest, RowModels(manifest.resolve, inspect(MODEL), inspect, {})
    )


def filled_roster(manifest: Manifest, checks: RequestChecks, done: int) -> Roster:
    """What a check of ``manifest`` would have found; the rows up to ``done`` have prints made of
    their ids, as the ledger's have, the others their own."""
    roster = Roster()
    first = checks.check(_asked(0))
    for number in range(manifest.rows):
        if number < done:
            prints = Fingerprints(_print(_id(number)), first.source, first.trimap, first.model)
        else:
            row: dict[str, Any] = _asked(number)
            prints = fingerprints(row, first.source, first.trimap, first.model)
        roster.add(_id(number), number, prints)
    return roster


def index_rows(start: int, size: int) -> pa.Table:
    """Rows of an index, with ids and fingerprints of their own."""
    names = [_id(number) for number in range(start, start + size)]
    row = {
        "object": "plate",
        "defect": "crack",
        "status": OK,
        "image": PICTURE,
        "mask": PICTURE,
        "image_sha256": PRINT,
        "mask_sha256": PRINT,
        "extras": [],
        "prompt": "a crack in a plate",
        "model": MODEL,
        "quality": [("coverage", 0.5)],
        "seconds": [("sleep", 1.0)],
    }
    one = pa.Table.from_pylist([row], INDEX)
    table = one.take(pa.array(np.zeros(size, np.int64)))
    for name, values in (("request_id", names), ("request_fingerprint", list(map(_print, names)))):
        place = INDEX.get_field_index(name)
        table = table.set_column(place, INDEX.field(name), pa.array(values))
    return table


def filled_ledger(folder: Path, rows: int) -> Ledger:
    """An index of so many rows."""
    ledger = Ledger(Location.of(str(folder)))
    ledger.claim(INDEX)
    for start in range(0, rows, PART):
        ledger.append(index_rows(start, min(PART, rows - start)))
    return ledger


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
