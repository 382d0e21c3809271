"""Files that a program writes to a folder for a look, and takes away at once.

One that is killed in between leaves its own; whoever works there next takes it away.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from cluster.storage.location import Location

PREFIX = ".passing-"
LEFT_AFTER = timedelta(minutes=10)
"""Nobody looks for so long."""


def passing_file(folder: Location) -> Location:
    """A place for one in ``folder``, of a name that nobody else has."""
    return folder.join(f"{PREFIX}{uuid.uuid4().hex}")


def is_passing(key: str) -> bool:
    """Whether the file of the folder's ``key`` is one."""
    return key.startswith(PREFIX)


def clear_passing(folder: Location) -> None:
    """Remove what killed programs have left in ``folder``, as far as that can be done: tidying up
    fails no job, whatever a store's library raises."""
    with suppress(Exception):
        for path in folder.fs.ls(folder.path, detail=False):
            if is_passing(path.rstrip("/").rpartition("/")[2]):
                _clear(folder, path)


def _clear(folder: Location, path: str) -> None:
    written = folder.fs.modified(path)
    if written.tzinfo is None:
        written = written.replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - written) > LEFT_AFTER:  # clocks may have jumped
        folder.fs.rm_file(path)
