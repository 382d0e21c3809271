"""A file in a store, every read of which is tried again when the store is away for a moment."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any, TypeVar

from cluster.storage.doubt import undenied
from cluster.storage.location import FINAL_ERRORS, Location

T = TypeVar("T")


class StoreAway(OSError):
    """A store that stays away, whatever its own library calls it."""


class InsistentFile(io.RawIOBase):
    """The file at ``place``, to read from and to seek in.

    Raises :class:`StoreAway`, and what tells that it is not there or may not be read.
    """

    def __init__(self, place: Location) -> None:
        self._place = place
        self._file: Any = _tried(place, lambda: place.fs.open(place.path, "rb"))

    def read(self, size: int = -1) -> bytes:
        at = self._file.tell()

        def again() -> bytes:
            self._file.seek(at)
            return self._file.read(size)

        return _tried(self._place, again)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def open_insistently(place: Location) -> IO[bytes]:
    """The file at ``place``; on a local disk as it is."""
    if place.is_local:
        return place.fs.open(place.path, "rb")
    return InsistentFile(place)  # type: ignore[return-value]


def _tried(place: Location, action: Callable[[], T]) -> T:
    try:
        return undenied(place, action)
    except FINAL_ERRORS:
        raise
    except OSError as error:
        raise StoreAway(str(error)) from error
