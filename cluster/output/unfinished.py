"""Where a local output's files are until they are whole: a folder for each driver.

A driver clears its own folder and those of drivers before it, never a later one's.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from cluster.storage.location import PARTIAL, Location


def unfinished(output: Location, epoch: int) -> Location:
    """The folder of the unfinished files of the driver with ``epoch``."""
    return output.join(f"{PARTIAL}/{epoch}")


def clear_unfinished(output: Location, epoch: int) -> None:
    """Remove what workers of drivers up to ``epoch`` that were killed have left unfinished."""
    folder = Path(output.join(PARTIAL).path)
    if not output.is_local or not folder.is_dir():
        return
    for left in folder.iterdir():
        if left.is_dir() and left.name.isdecimal() and int(left.name) > epoch:
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    with suppress(OSError):  # a later driver's folder is there
        folder.rmdir()
