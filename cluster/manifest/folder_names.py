"""The folders that a manifest's rows go to, told apart as every file system does."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from adabldm.core.names import folded

KEPT = 100_000


class Spelling(NamedTuple):
    """How a name was spelled first, and in which row."""

    name: str
    row: int


class Folder(NamedTuple):
    """A folder's ``number``; the earlier spelling of ``object`` and of ``defect``, where the row
    has another that some file systems take for the same."""

    number: int
    object: Spelling | None = None
    defect: Spelling | None = None


class FolderNames:
    """Numbers the folders of (object, defect); names are kept in ``db``, those used last here."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[tuple[str, str], Folder] = {}
        db.execute(
            "create table if not exists spelled "
            "(number integer primary key, folded text unique, name text, row integer)"
        )

    def of(self, item: str, defect: str, row: int) -> Folder:
        """The folder of ``row``; rows come in order."""
        known = self._known.get((item, defect))
        if known is None:
            _, earlier_object = self._first(folded(item), item, row)
            key = f"{folded(item)}/{folded(defect)}"
            number, earlier_defect = self._first(key, defect, row)
            known = Folder(number, earlier_object, earlier_defect)
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[item, defect] = known
        return known

    def _first(self, key: str, name: str, row: int) -> tuple[int, Spelling | None]:
        insert = "insert or ignore into spelled (folded, name, row) values (?, ?, ?)"
        self._db.execute(insert, (key, name, row))
        query = "select number, name, row from spelled where folded = ?"
        number, first, at = self._db.execute(query, (key,)).fetchone()
        return int(number), None if first == name else Spelling(first, int(at))
