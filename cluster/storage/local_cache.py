"""Local copies of what is kept elsewhere: made once a machine, by name of their content."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from cluster.storage.location import Location, insistently


def cache_folder(kind: str) -> Path:
    """The folder in the user's cache for what is kept of a ``kind``; it may not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adabldm" / kind


class KeptFiles:
    """Small files in the user's cache, by name of what they were made of.

    A cache is no place to fail: what cannot be read is not there, what cannot be written is not
    kept.
    """

    def __init__(self, kind: str) -> None:
        self._folder = cache_folder(kind)

    def get(self, name: str) -> bytes | None:
        """What was kept as ``name``; None if there is nothing."""
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None

    def put(self, name: str, data: bytes) -> None:
        """Keep ``data`` as ``name``, whole or not at all."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file, fresh = tempfile.mkstemp(dir=self._folder)
        except OSError:
            return
        try:
            with os.fdopen(file, "wb") as handle:
                handle.write(data)
            Path(fresh).replace(self._folder / name)
        except OSError:
            Path(fresh).unlink(missing_ok=True)


class FetchFault(OSError):
    """What is kept elsewhere could not be brought here."""


def fetched(
    kind: str,
    fingerprint: str,
    files: Callable[[], Mapping[str, Location]],
    check: Callable[[Path], object] = lambda _: None,
) -> Path:
    """The folder on this machine with the remote ``files``, by relative name.

    It is in the user's cache, under ``kind`` and the content's ``fingerprint``. A copy is kept only
    while ``check`` does not raise on it: one that was changed in the cache is fetched again.
    Raises :class:`FetchFault`, and what ``check`` raises on a fresh copy.
    """
    cache = cache_folder(kind)
    kept = cache / fingerprint
    if kept.exists():
        try:
            check(kept)
        except (OSError, ValueError):
            _give_up(kept)
        else:
            return kept
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=cache))
    try:
        for name, file in files().items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch(file, target)
        check(fresh)
        fresh.rename(kept)
    except OSError:
        if not kept.exists():  # else another worker of this machine was faster
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return kept


def _give_up(kept: Path) -> None:
    """Take a spoilt copy out of the way of those that come; who has it open keeps it."""
    away = kept.with_name(f".spoilt-{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):  # another worker was faster
        kept.rename(away)
        shutil.rmtree(away, ignore_errors=True)


def _fetch(file: Location, target: Path) -> None:
    try:
        insistently(lambda: file.fs.get_file(file.path, str(target)))
    except OSError as error:
        raise FetchFault(f"{file.shown}: {error}") from error
