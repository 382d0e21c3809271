"""Whether an output is what its index says: every object there, whole, and none besides."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from adabldm.core import images
from adabldm.core.faults import InputFault
from cluster.manifest.reader import Row
from cluster.output.index import FOLDER, Ledger
from cluster.output.paths import ASKED_MASK, REFINED_MASK, REPORT
from cluster.output.run_json import FILE
from cluster.output.schema import OK, REJECTED, STATUSES
from cluster.storage.hashing import sha256
from cluster.storage.location import PARTIAL, Location, TooLargeError
from cluster.storage.passing_file import is_passing

THREADS = 16
OF_DESKTOPS = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that Finder and Explorer write; Finder also puts ``._name`` beside a file."""
COLUMNS = (
    "request_id",
    "status",
    "reason",
    "image",
    "mask",
    "image_sha256",
    "mask_sha256",
    "extras",
)


def count_statuses(output: Location) -> Counter[str]:
    """Rows of the output's index by their status. Raises :class:`InputFault` if there is none."""
    found: Counter[str] = Counter()
    for batch in _index(output).read(["status"]):
        found.update(batch["status"].to_pylist())
    return found


def verify(
    output: Location,
    progress: Callable[[int], None],
    pass_over: Callable[[str], None] = lambda _: None,
    sample: int | None = None,
) -> Iterator[str]:
    """A line for each thing that is wrong; ``progress`` gets the number of rows checked, and
    ``pass_over`` each file that a desktop has left there.

    Of ``sample`` rows, drawn at random, the files are looked at, and files without a row are not
    looked for; None: of all, and they are.
    """
    if not output.join(FILE).exists():
        yield f"{FILE}: is missing"
    checked, drawn = 0, _Drawn(sample)
    with _Seen() as ids, _Seen() as keys, ThreadPoolExecutor(THREADS) as pool:
        for batch in _index(output).read(COLUMNS):
            rows = batch.to_pylist()
            for request_id in ids.add(row["request_id"] for row in rows):
                yield f"request_id {request_id!r}: has more than one row"
            if sample is not None:
                drawn.take(rows)
                continue
            for key in keys.add(key for row in rows for key, _ in _objects(row)):
                yield f"{key}: belongs to more than one row"
            for faults in pool.map(lambda row: _row_faults(output, row), rows):
                yield from faults
                checked += 1
                progress(checked)
        for faults in pool.map(lambda row: _row_faults(output, row), drawn.rows):
            yield from faults
            checked += 1
            progress(checked)
        if sample is None:
            yield from _strays(output, keys, pass_over)


def _strays(output: Location, keys: _Seen, pass_over: Callable[[str], None]) -> Iterator[str]:
    for key in output.files():
        ours = key in (FILE, REPORT) or key.split("/")[0] in (FOLDER, PARTIAL)
        if ours or is_passing(key) or key in keys:
            continue
        if is_of_desktop(key):
            pass_over(key)
        else:
            yield f"{key}: has no row"


def is_of_desktop(key: str) -> bool:
    """Whether the file is one that a desktop leaves in the folders it has shown."""
    name = key.rpartition("/")[2]
    return name in OF_DESKTOPS or name.startswith("._")


def _index(output: Location) -> Ledger:
    ledger = Ledger(output)
    if not ledger.exists:
        raise InputFault.of("output", output.shown, "has no index")
    return ledger


def _objects(row: Row) -> list[tuple[str, str]]:
    """(path, sha256) of each object that a row promises."""
    pairs = [(row["image"], row["image_sha256"]), (row["mask"], row["mask_sha256"])]
    extras = [(extra["path"], extra["sha256"]) for extra in row["extras"] or []]
    return [(path, digest) for path, digest in pairs + extras if path is not None]


def _row_faults(output: Location, row: Row) -> list[str]:
    name = f"request_id {row['request_id']!r}"
    if fault := _status_fault(row):
        return [f"{name}: {fault}"]
    faults = []
    contents: dict[str, bytes] = {}
    for key, digest in _objects(row):
        try:
            contents[key] = output.join(key).read()
        except FileNotFoundError:
            faults.append(f"{name}: {key}: does not exist")
            continue
        except (OSError, TooLargeError) as error:
            faults.append(f"{name}: {key}: cannot be read ({error})")
            continue
        if sha256(contents[key]) != digest:
            faults.append(f"{name}: {key}: is not the file that was written (sha256 differs)")
    image, masks = _pictures(row)
    for mask in masks:
        if image in contents and mask in contents:
            fault = _pair_fault(contents[image], contents[mask])
            if fault:
                faults.append(f"{name}: {mask}: {fault}")
    return faults


def _status_fault(row: Row) -> str | None:
    """What a row lacks that its status promises."""
    status = row["status"]
    if status not in STATUSES:
        return f"status: {status!r}: must be one of {', '.join(STATUSES)}"
    if status == OK:
        return None if row["image"] and row["mask"] else "is ok without image or mask"
    if row["image"] or row["mask"]:
        return f"is {status} and has an image or mask"
    return None if row["reason"] else f"is {status} without a reason"


def _pictures(row: Row) -> tuple[str | None, list[str | None]]:
    """Paths of the image, published or rejected, and of its masks."""
    extras = {extra["name"]: extra["path"] for extra in row["extras"] or []}
    image = row["image"] or extras.get(REJECTED)
    return image, [row["mask"], extras.get(ASKED_MASK), extras.get(REFINED_MASK)]


def _pair_fault(image: bytes, mask: bytes) -> str | None:
    try:
        height, width = images.read_size(image)
        pixels = images.decode(mask, "L")
    except images.ImageFault as error:
        return str(error)
    if pixels.shape != (height, width):
        return f"is {pixels.shape[0]} x {pixels.shape[1]}, its image {height} x {width}"
    if not np.isin(pixels, (0, 255)).all():
        return "has values other than 0 and 255"
    return None


class _Drawn:
    """``rows``, at most so many, each row that was seen with the same chance."""

    def __init__(self, most: int | None) -> None:
        self._most, self._seen = most or 0, 0
        self._rng = random.Random()  # noqa: S311
        self.rows: list[Row] = []

    def take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._seen += 1
            if len(self.rows) < self._most:
                self.rows.append(row)
            elif (place := self._rng.randrange(self._seen)) < self._most:
                self.rows[place] = row


class _Seen:
    """A set of texts on disk."""

    def __enter__(self) -> _Seen:
        self._folder = tempfile.TemporaryDirectory(prefix="adabldm-")
        self._db = sqlite3.connect(Path(self._folder.name) / "seen.db", isolation_level=None)
        self._db.executescript(
            "pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -100000;"
            "create table seen (text text primary key) without rowid; begin;"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._folder.cleanup()

    def add(self, texts: Iterable[str]) -> list[str]:
        """Add ``texts``; returns those that were there before."""
        again = []
        for text in texts:
            added = self._db.execute("insert or ignore into seen values (?)", (text,)).rowcount
            if not added:
                again.append(text)
        return again

    def __contains__(self, text: str) -> bool:
        return self._db.execute("select 1 from seen where text = ?", (text,)).fetchone() is not None
