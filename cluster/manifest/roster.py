"""Every request of a manifest by its id, on disk, so that ten million need little memory."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from adabldm.core.names import folded
from cluster.manifest.folder_names import FolderNames, Spelling
from cluster.manifest.request_checks import Fingerprints

TABLES = """
    create table requests (
        id text primary key, row integer, folder integer, request text, source text,
        trimap text, model text
    ) without rowid;
    create table respelled (
        name text, folder integer, id text, row integer, primary key (name, folder)
    ) without rowid;
    create table looked (name text primary key, content text) without rowid;
    create table said (name text primary key, content text) without rowid;
    create table told (name text primary key, content text) without rowid;
"""
BATCH = 500
"""Ids a query; SQLite takes about a thousand."""


class Known(NamedTuple):
    """A request's row in the manifest, and the fingerprint of all of it."""

    row: int
    request: str


class Roster:
    """Ids with row numbers, fingerprints, and whether they are committed.

    A scratch file of its own, gone with :meth:`close`. One thread at a time may use it.
    """

    def __init__(self, kept: Path | None = None) -> None:
        """A new one, or a copy of what was :meth:`kept <keep>`. Raises ``OSError`` and
        ``sqlite3.Error`` for a copy that cannot be made or read."""
        self._folder = tempfile.TemporaryDirectory(prefix="adabldm-")
        self._file = Path(self._folder.name) / "roster.db"
        self._any_respelled = False
        self._done = bytearray()
        self._count = 0
        if kept is not None:
            shutil.copyfile(kept, self._file)
        self._db = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
        self._db.executescript(
            "pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -200000;"
        )
        if kept is None:
            self._db.executescript(TABLES)
        else:
            query = "select count(*), coalesce(max(row) + 1, 0) from requests"
            self._count, rows = self._db.execute(query).fetchone()
            self._done = bytearray(rows)
        self._db.execute("begin")
        self.folders = FolderNames(self._db)

    def keep(self, place: Path) -> None:
        """Copy it to ``place``, as it is now. Raises ``OSError`` and ``sqlite3.Error``."""
        self._db.execute("commit")
        try:
            shutil.copyfile(self._file, place)
        finally:
            self._db.execute("begin")

    def note(self, table: str, pairs: Iterable[tuple[str, str | None]]) -> None:
        """Write down what the requests depend on, in ``looked``, ``said`` or ``told``: of what
        comes twice and differs nothing is known."""
        self._db.executemany(
            f"insert into {table} values (?, ?) on conflict do update set "  # noqa: S608
            f"content = case when content = excluded.content then content end",
            pairs,
        )

    def noted(self, table: str) -> Iterator[tuple[str, str | None]]:
        """What was written down."""
        yield from self._db.execute(f"select * from {table}")  # noqa: S608

    def close(self) -> None:
        self._db.close()
        self._folder.cleanup()

    def add(
        self, request_id: str, row: int, prints: Fingerprints, folder: int = 0
    ) -> Spelling | None:
        """Add a request whose files are in ``folder``; if its id is there already, or one in the
        same folder that some file systems take for it, return that one and its row instead."""
        try:
            self._db.execute(
                "insert into requests (id, row, folder, request, source, trimap, model) "
                "values (?, ?, ?, ?, ?, ?, ?)",
                (
                    request_id,
                    row,
                    folder,
                    prints.request,
                    prints.source,
                    prints.trimap,
                    prints.model,
                ),
            )
        except sqlite3.IntegrityError:
            query = "select row from requests where id = ?"
            return Spelling(request_id, int(self._db.execute(query, (request_id,)).fetchone()[0]))
        self._count += 1
        if row >= len(self._done):
            self._done.extend(bytes(row + 1 - len(self._done)))
        return self._respelled(request_id, row, folder)

    def _respelled(self, request_id: str, row: int, folder: int) -> Spelling | None:
        """An earlier id of ``folder`` that differs from this one by case or normal form only.

        Only ids that are not their own folded names are kept apart: most plans have none.
        """
        plain = request_id.isascii() and request_id == request_id.lower()
        name = request_id if plain else folded(request_id)
        found: list[tuple[str, int]] = []
        if self._any_respelled:
            query = "select id, row from respelled where name = ? and folder = ?"
            found += self._db.execute(query, (name, folder))
        if name != request_id:
            query = "select id, row from requests where id = ? and folder = ?"
            found += self._db.execute(query, (name, folder))
            query = "insert or ignore into respelled values (?, ?, ?, ?)"
            self._db.execute(query, (name, folder, request_id, row))
            self._any_respelled = True
        return min((Spelling(*one) for one in found), key=lambda one: one.row, default=None)

    def find(self, ids: Iterable[str]) -> dict[str, Fingerprints]:
        """Fingerprints of those of ``ids`` that are in the manifest."""
        query = "select id, request, source, trimap, model from requests where id in"
        return {row[0]: Fingerprints(*row[1:]) for row in self._where(query, ids)}

    def known(self, ids: Iterable[str]) -> dict[str, Known]:
        """Those of ``ids`` that are in the manifest."""
        query = "select id, row, request from requests where id in"
        return {row[0]: Known(*row[1:]) for row in self._where(query, ids)}

    def mark_done(self, rows: Iterable[int]) -> None:
        """Remember that the requests of ``rows`` are committed."""
        for row in rows:
            self._done[row] = 1

    def pending(self, ids: Iterable[str]) -> Mapping[str, Fingerprints]:
        """Those of ``ids`` that are not committed."""
        query = "select row, id, request, source, trimap, model from requests where id in"
        return {
            row[1]: Fingerprints(*row[2:])
            for row in self._where(query, ids)
            if not self._done[row[0]]
        }

    def any_pending(self, start: int, stop: int) -> bool:
        """Whether a request of the rows from ``start`` to before ``stop`` is not committed."""
        return 0 in self._done[start:stop]

    def count(self, *, done: bool | None = None) -> int:
        """How many requests there are: all, or those (not) committed."""
        committed = self._done.count(1)
        return {None: self._count, True: committed, False: self._count - committed}[done]

    def _where(self, query: str, ids: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        wanted = list(ids)
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            yield from self._db.execute(f"{query} ({','.join('?' * len(some))})", some)
