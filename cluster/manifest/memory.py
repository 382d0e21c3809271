"""A large manifest that was found in order is not checked again while nothing of it changes.

What is remembered, in the user's cache: every request's fingerprints, under a name made of the
manifest's bytes and of all that its checks depend on; and the stamps of the pictures and the
fingerprints of the models that they looked at, which are compared before it is believed.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue

from cluster.manifest.reader import Manifest, Row
from cluster.manifest.request_checks import CheckedRequest, RequestChecks
from cluster.manifest.roster import Roster
from cluster.storage.hashing import file_sha256, sha256
from cluster.storage.local_cache import cache_folder
from cluster.storage.location import Location
from cluster.storage.stamps import stamps_of

FORMAT = 1
LEAST_ROWS = 100_000
"""A smaller manifest is checked in seconds."""
KEPT = 3
"""Manifests that are remembered, the last ones."""
NOTED, TOGETHER = 1000, 50_000
"""Pictures that are written down, and compared, together."""


class Memory:
    """Of the checks of ``manifest`` under the rules ``how`` (what JSON can hold)."""

    def __init__(self, manifest: Manifest, how: Sequence[object]) -> None:
        self._manifest, self._how = manifest, how
        self._seen: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        self._said: dict[str, str] = {}
        self._folder = cache_folder("checked")
        self._file: Path | None = None

    @property
    def is_worth_it(self) -> bool:
        return self._manifest.rows >= LEAST_ROWS

    def looked(self, uri: str, stamp: str | None) -> None:
        """A picture's file is about to be read."""
        self._seen.put((uri, stamp))

    def take(self, roster: Roster, row: Row, checked: CheckedRequest) -> None:
        """A row without faults."""
        self._said[row.get("model") or ""] = checked.prints.model
        if self._seen.qsize() >= NOTED:
            self._note(roster)

    def recall(self, checks: RequestChecks) -> tuple[Roster, list[str]] | None:
        """The roster and the remarks of an earlier check, if that would find the same now."""
        try:
            roster = Roster(self._place())
        except (OSError, sqlite3.Error):
            return None
        try:
            if self._holds(roster, checks):
                return roster, [line for _, line in sorted(roster.noted("told")) if line]
        except (OSError, sqlite3.Error, ValueError):
            pass
        roster.close()
        return None

    def keep(self, roster: Roster, remarks: Sequence[str]) -> None:
        """Remember ``roster``, of a manifest in order; a cache that takes it not is let be."""
        self._note(roster)
        roster.note("said", self._said.items())
        roster.note("told", ((f"{at:09d}", line) for at, line in enumerate(remarks)))
        fresh = self._folder / f".{uuid.uuid4().hex}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            roster.keep(fresh)
            fresh.replace(self._place())
            self._forget_others()
        except (OSError, sqlite3.Error):
            pass
        finally:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)

    def _note(self, roster: Roster) -> None:
        found = []
        with suppress(Empty):
            while True:
                found.append(self._seen.get_nowait())
        roster.note("looked", found)

    def _holds(self, roster: Roster, checks: RequestChecks) -> bool:
        """Whether pictures and models are those that were looked at."""
        if roster.count() != self._manifest.rows:
            return False
        for said, fingerprint in roster.noted("said"):
            if checks.models.of(said or None).fingerprint != fingerprint:
                return False
        looked = roster.noted("looked")
        while some := dict(islice(looked, TOGETHER)):
            for place, stamp in stamps_of(map(Location.of, some)):
                if stamp is None or some[place.uri] != stamp:
                    return False
        return True

    def _place(self) -> Path:
        """Where it is kept. Raises ``OSError``."""
        if self._file is None:
            parts = [[part.file.uri, file_sha256(part.file)] for part in self._manifest.parts]
            made_of = [FORMAT, version("adabldm"), self._manifest.place.uri, parts, self._how]
            name = sha256(json.dumps(made_of, sort_keys=True).encode())
            self._file = self._folder / f"{name}.db"
        return self._file

    def _forget_others(self) -> None:
        there = sorted(self._folder.glob("*.db"), key=lambda file: file.stat().st_mtime)
        for file in there[:-KEPT]:
            file.unlink(missing_ok=True)
