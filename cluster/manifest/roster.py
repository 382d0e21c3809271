"""Every request of a manifest by its id, on disk, so that ten million need little memory."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from adabldm.core.names import folded
from cluster.manifest.folder_names import FolderNames, Spelling
from cluster.manifest.request_checks import Fingerprints

BATCH = 500
"""Ids a query; SQLite takes about a thousand."""


class Roster:
    """Ids with row numbers, fingerprints, and whether they are committed.

    A scratch file of its own, gone with :meth:`close`. One thread at a time may use it.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="adabldm-")
        self._db = sqlite3.connect(
            Path(self._folder.name) / "roster.db", isolation_level=None, check_same_thread=False
        )
        self._any_respelled = False
        self._db.executescript(
            """
            pragma journal_mode = off;
            pragma synchronous = off;
            pragma cache_size = -200000;
            create table requests (
                id text primary key, row integer, folder integer, request text, source text,
                trimap text, model text, done integer default 0
            ) without rowid;
            create table respelled (
                name text, folder integer, id text, row integer, primary key (name, folder)
            ) without rowid;
            begin;
            """
        )
        self.folders = FolderNames(self._db)

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

    def mark_done(self, ids: Iterable[str]) -> None:
        """Remember that ``ids`` are committed."""
        self._db.executemany("update requests set done = 1 where id = ?", ((i,) for i in ids))

    def pending(self, ids: Iterable[str]) -> Mapping[str, Fingerprints]:
        """Those of ``ids`` that are not committed."""
        query = "select id, request, source, trimap, model from requests where done = 0 and id in"
        return {row[0]: Fingerprints(*row[1:]) for row in self._where(query, ids)}

    def count(self, *, done: bool | None = None) -> int:
        """How many requests there are: all, or those (not) committed."""
        condition = "" if done is None else f" where done = {int(done)}"
        return int(self._db.execute(f"select count(*) from requests{condition}").fetchone()[0])  # noqa: S608

    def _where(self, query: str, ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
        wanted = list(ids)
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            yield from self._db.execute(f"{query} ({','.join('?' * len(some))})", some)
