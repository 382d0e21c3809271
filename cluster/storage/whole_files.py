"""Files that appear whole or not at all, on any fsspec file system."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

from cluster.storage.location import Location, named_errors

UPLOADS = 16
"""Files that are written at the same time."""


@contextmanager
def write_whole(place: Location) -> Iterator[IO[bytes]]:
    """A file to write to, which is at ``place`` only once the block has ended well.

    Locally a hidden neighbour is renamed; elsewhere the upload is completed or discarded.
    """
    if place.is_local:
        partial = Path(place.parent.path) / f".{place.name}.partial-{os.getpid()}"
        partial.parent.mkdir(parents=True, exist_ok=True)
        try:
            with named_errors(place), partial.open("wb") as handle:
                yield handle
            partial.replace(place.path)
        finally:
            partial.unlink(missing_ok=True)
        return
    upload = place.fs.open(place.path, "wb", autocommit=False)
    try:
        yield upload
        upload.close()
    except BaseException:
        upload.discard()
        raise
    upload.commit()


class ContentFolder:
    """A folder whose files are named by their content, so each is written once.

    What holds their paths lies beside the folder, and both may be moved together. Use as a
    context manager: leaving it waits for the writes and raises what failed.
    """

    def __init__(self, folder: Location) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}
        if folder.is_folder():
            for item in folder.fs.ls(folder.path, detail=True):
                self._sizes[posixpath.basename(item["name"])] = int(item["size"] or 0)
        self._pool = ThreadPoolExecutor(UPLOADS, thread_name_prefix="content-files")
        self._pending: deque[Future[None]] = deque()

    def put(self, data: bytes, suffix: str) -> str:
        """The path, relative to this folder's own parent, at which ``data`` is, or soon will be;
        ``suffix`` as in ``.png``."""
        name = hashlib.sha256(data).hexdigest()[:16] + suffix
        place = self._folder.join(name)
        if self._sizes.get(name) != len(data):
            self._sizes[name] = len(data)
            if len(self._pending) >= 2 * UPLOADS:
                self._pending.popleft().result()
            self._pending.append(self._pool.submit(place.write, data))
        return f"{self._folder.name}/{name}"

    def __enter__(self) -> ContentFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for future in self._pending:
                future.result()
